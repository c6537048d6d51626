"""What is told of datasets, as JSON Schema has it."""

from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
LINKS = {"type": "object", "required": ["self"], "additionalProperties": TEXT}
# As the text formats write it: a text, a number or a truth.
VALUE = {"type": ["string", "number", "boolean"]}


def _object(required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


GEOMETRY = _object(
    {"column": {"type": "string"}},
    {"crs": TEXT, "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}},
)
FREQUENT = _object({"value": VALUE, "count": COUNT}, {"label": TEXT})
HISTOGRAM = _object(
    {"from": VALUE, "to": VALUE, "counts": {"type": "array", "items": COUNT, "maxItems": 20}}, {}
)
COLUMN = _object(
    {"name": {"type": "string"}, "type": TEXT},
    {
        "description": TEXT,
        "parameter": TEXT,
        "nulls": COUNT,
        "min": VALUE,
        "max": VALUE,
        "blanks": COUNT,
        "distinct": COUNT,
        "top": {"type": "array", "items": FREQUENT, "maxItems": 10},
        "histogram": HISTOGRAM,
    },
)
FORMAT = _object(
    {"extension": TEXT, "media_type": TEXT, "use": TEXT, "url": TEXT},
    {"bytes": COUNT, "exact": {"type": "boolean"}, "problem": TEXT},
)
LISTED = _object(
    {"name": TEXT, "links": LINKS},
    {
        "title": TEXT,
        "rows": COUNT,
        "bytes": COUNT,
        "modified": TEXT,
        "licence": TEXT,
        "geometry": GEOMETRY,
        "problem": TEXT,
    },
)
CATALOGUE = _object({"datasets": {"type": "array", "items": LISTED}, "links": LINKS}, {})
DESCRIPTION = _object(
    {
        "name": TEXT,
        "modified": TEXT,
        "e_tag": TEXT,
        "bytes": COUNT,
        "formats": {"type": "array", "items": FORMAT},
        "links": LINKS,
        "source": _object({"parts": COUNT, "row_groups": COUNT}, {}),
    },
    {
        "title": TEXT,
        "description": TEXT,
        "licence": TEXT,
        "attribution": TEXT,
        "publisher": TEXT,
        "contact": TEXT,
        "rows": COUNT,
        "problem": TEXT,
        "key": TEXT,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "text": {"type": "array", "items": {"type": "string"}},
        "columns": {"type": "array", "items": COLUMN},
        "profile": _object({"rows": COUNT, "sample": {"type": "boolean"}}, {}),
        "geometry": GEOMETRY,
    },
)
ESTIMATED = _object(
    {
        "extension": TEXT,
        "answer": {"type": "string", "enum": ["stored", "whole", "stream", "export", "refused"]},
        "reason": TEXT,
    },
    {"bytes": COUNT, "exact": {"type": "boolean"}},
)
ESTIMATE = _object(
    {
        "dataset": TEXT,
        "row_groups": _object({"read": COUNT, "of": COUNT}, {}),
        "bytes_read": COUNT,
        "formats": {"type": "array", "items": ESTIMATED},
    },
    {"rows": COUNT, "rows_at_most": COUNT, "rows_without_geometry": COUNT},
)
STATUS = _object(
    {
        "dataset": TEXT,
        "format": TEXT,
        "e_tag": TEXT,
        "state": {"type": "string", "enum": ["absent", "making", "ready", "failed"]},
    },
    {"coding": TEXT, "rows": COUNT, "bytes": COUNT, "rows_in_all": COUNT, "problem": TEXT},
)
SCHEMAS = {"Catalogue": CATALOGUE, "Description": DESCRIPTION, "Estimate": ESTIMATE, "Status": STATUS}
