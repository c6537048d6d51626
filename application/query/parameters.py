"""The parameters that are no filters, as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from application.models import Column
from application.query.area import LATITUDE, LONGITUDE, bbox, bbox_crs, near, place
from application.query.dialect import DELIMITERS, LINE_ENDS, PRESETS, delimiter, line_end, preset, truth
from application.query.fields import chosen, left, missing
from application.query.filename import LONGEST_NAME, NAME, filename
from application.query.order import MOST_ROWS, count, order, order_schema
from application.query.period import PERIODS, period
from application.query.schemas import Schema, columns_schema, constant, most_columns_schema
from application.query.shape import FORMS, SYSTEMS, form, system

Reader = Callable[[Sequence[str], Any, Sequence[Column]], Any]

ANY_TEXT = constant({"type": "string"})
ROWS = constant({"type": "integer", "minimum": 0, "maximum": MOST_ROWS})
TRUTH = constant({"type": "boolean"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named parameter; ``words`` say what it means.

    ``into`` has a reader for each part that it decides, a field of Query or of ParsedQuery. A reader gets
    the texts in the order they were sent, the part as the rows above left it, and the dataset's columns;
    it returns the part, or raises QueryInvalid, or ValueError with what is wrong. ``schema`` is that of
    its texts on a dataset of these columns, or on any for none.
    """

    name: str
    words: str
    into: Mapping[str, Reader]
    repeatable: bool = False
    schema: Callable[[Sequence[Column]], Schema] = ANY_TEXT

    @property
    def is_of_text(self) -> bool:
        """True for what says how delimited text is written."""
        return "dialect" in self.into

    @property
    def is_of_geometry(self) -> bool:
        """True for what asks for a dataset that has geometry."""
        return self.is_of_shape or "areas" in self.into

    @property
    def is_of_shape(self) -> bool:
        """True for what says how the geometry column is written."""
        return "shape" in self.into


PARAMETERS: dict[str, Parameter] = {
    row.name: row
    for row in (
        Parameter(
            "field",
            "keep only these columns, in this order",
            {"columns": chosen, "missing": missing},
            repeatable=True,
            schema=columns_schema,
        ),
        Parameter(
            "exclude_field",
            "all columns but these",
            {"columns": left},
            repeatable=True,
            schema=most_columns_schema,
        ),
        Parameter(
            "sort",
            "rows by this column, or from its end with -; those without a value come last",
            {"order": order},
            repeatable=True,
            schema=order_schema,
        ),
        Parameter("limit", "at most so many rows; 0 for the header alone", {"limit": count}, schema=ROWS),
        Parameter("offset", "without so many rows at the start", {"offset": count}, schema=ROWS),
        Parameter(
            "period",
            "rows by their end-date: current, historical or all",
            {"period": period},
            repeatable=True,
            schema=constant({"type": "array", "items": {"type": "string", "enum": list(PERIODS)}}),
        ),
        Parameter(
            "geometry",
            "how text has the geometry: as wkt, as geojson, or none; without it as it is stored",
            {"shape": form},
            schema=constant({"type": "string", "enum": list(FORMS)}),
        ),
        Parameter(
            "crs",
            "the reference system of the geometry in the answer, such as EPSG:27700",
            {"shape": system},
            # More are taken than a document could name.
            schema=constant({"type": "string", "enum": list(SYSTEMS)}),
        ),
        Parameter(
            "bbox",
            "rows whose geometry meets this box: minx,miny,maxx,maxy",
            {"areas": bbox},
            schema=constant({"type": "string", "enum": ["-0.2,51.4,0.1,51.6", "-180,-90,180,90"]}),
        ),
        Parameter(
            "bbox-crs",
            "the reference system of the box, such as EPSG:27700",
            {"areas": bbox_crs},
            schema=constant({"type": "string", "enum": list(SYSTEMS)}),
        ),
        Parameter(
            "intersects",
            "rows whose geometry meets this place: WKT, lon,lat, or DATASET:REFERENCE",
            {"areas": place("intersects")},
            schema=constant({"type": "string", "pattern": f"^{LONGITUDE},{LATITUDE}$"}),
        ),
        Parameter(
            "within",
            "rows whose geometry is within this place: WKT, lon,lat, or DATASET:REFERENCE",
            {"areas": place("within")},
            schema=constant({"type": "string", "pattern": f"^{LONGITUDE},{LATITUDE}$"}),
        ),
        Parameter(
            "near",
            "rows whose geometry is as near as this: lon,lat,metres",
            {"areas": near},
            schema=constant({"type": "string", "pattern": f"^{LONGITUDE},{LATITUDE},[0-9]{{1,5}}$"}),
        ),
        Parameter(
            "preset",
            "what a program expects: excel is bom=true and line_end=crlf",
            {"dialect": preset},
            schema=constant({"type": "string", "enum": list(PRESETS)}),
        ),
        Parameter(
            "bom",
            "begin with a byte order mark, by which Excel knows UTF-8",
            {"dialect": truth("bom")},
            schema=TRUTH,
        ),
        Parameter(
            "delimiter",
            "the character between cells",
            {"dialect": delimiter},
            schema=constant({"type": "string", "enum": sorted(DELIMITERS)}),
        ),
        Parameter(
            "header",
            "begin with the names of the columns",
            {"dialect": truth("header")},
            schema=TRUTH,
        ),
        Parameter(
            "line_end",
            "what ends a line: lf or crlf",
            {"dialect": line_end},
            schema=constant({"type": "string", "enum": list(LINE_ENDS)}),
        ),
        Parameter(
            "safe",
            "begin text that a spreadsheet would take for a formula with an apostrophe",
            {"dialect": truth("safe")},
            schema=TRUTH,
        ),
        Parameter(
            "filename",
            "the name to save it under",
            {"filename": filename},
            schema=constant({"type": "string", "pattern": f"^{NAME.pattern}$", "maxLength": LONGEST_NAME}),
        ),
    )
}
