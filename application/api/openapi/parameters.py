"""Query parameters as OpenAPI has them, from the tables of parameters and operators."""

from collections.abc import Iterator, Sequence
from typing import Any

from application.formats import FORMATS, Format
from application.models import Column
from application.query.operators import OPERATORS, Operator
from application.query.parameters import PARAMETERS, Parameter
from application.query.period import END_COLUMN
from application.query.planning_data import NAMED_FILTERS
from application.query.schemas import Schema
from application.query.values import value_type

# Past this a document lists only equality of each column, for nobody could read it.
MOST_FILTERS = 1000
DEFAULT = OPERATORS["exact"]


def named_parameters(columns: Sequence[Column], formats: Sequence[Format]) -> list[Schema]:
    """The parameters that are no filters, on a dataset of these columns (none: on any) in these formats."""
    has_dialect = any(row.dialect for row in formats)
    return [
        _named(row, columns)
        for row in PARAMETERS.values()
        if (has_dialect or not row.is_of_text) and _applies(row, columns)
    ]


def any_filters() -> list[Schema]:
    """Filters on a dataset whose columns are not known: those of planning data, and any other."""
    known: list[Schema] = [
        {
            "name": row.column,
            "in": "query",
            "description": f"rows whose {row.column} is this; empty: no filter",
            "allowEmptyValue": True,
            "schema": {"type": "array", "items": _words(row.vocabulary)},
        }
        for row in NAMED_FILTERS.values()
    ]
    text = {"type": "string"}
    return [
        *known,
        {
            "name": "filters",
            "in": "query",
            "description": (
                "`COLUMN=V`, or `COLUMN__OPERATOR=V` with one of "
                f"{', '.join(f'`{name}`' for name in OPERATORS)}. A dataset's own document lists its columns."
            ),
            "style": "form",
            "explode": True,
            "schema": {
                "type": "object",
                "additionalProperties": {"oneOf": [text, {"type": "array", "items": text}]},
            },
            "example": {},
        },
    ]


def own_filters(columns: Sequence[Column]) -> list[Schema]:
    """The filters on these columns, each with the operators that apply, while they can be read."""
    names = [column.name for column in columns]
    single = [column for column in columns if names.count(column.name) == 1]
    filters = list(_filters(single, tuple(OPERATORS.values())))
    if len(filters) > MOST_FILTERS:
        filters = list(_filters(single, (DEFAULT,)))
    return filters


def _filters(columns: Sequence[Column], operators: Sequence[Operator]) -> Iterator[Schema]:
    for column in columns:
        kind = value_type(column.field.type)
        for row in operators:
            if row.applies(kind) and (column.exact or row.takes == 0):
                yield _filter(column, row)


def _filter(column: Column, row: Operator) -> Schema:
    is_short = row is DEFAULT and column.name not in PARAMETERS
    named = NAMED_FILTERS.get(column.name) if row.whole else None
    schema = row.schema(column.field.type)
    if named and named.vocabulary:
        words = _words(named.vocabulary)
        schema = {"type": "array", "items": words} if schema["type"] == "array" else words
    parameter: Schema = {
        "name": column.name if is_short else f"{column.name}__{row.name}",
        "in": "query",
        "description": f"rows whose {column.name} {row.words} this",
    }
    if row.takes == 0:
        return parameter | {
            "description": f"rows whose {column.name} {row.words}",
            "allowEmptyValue": True,
            "schema": schema,
        }
    if schema["type"] == "array":
        # One record of CSV.
        return parameter | {"style": "form", "explode": False, "schema": schema}
    return parameter | {"schema": {"type": "array", "items": schema}}


def _named(row: Parameter, columns: Sequence[Column]) -> Schema:
    return {"name": row.name, "in": "query", "description": row.words, "schema": row.schema(columns)}


def _applies(row: Parameter, columns: Sequence[Column]) -> bool:
    return not columns or row.name != "period" or any(column.name == END_COLUMN for column in columns)


def _words(vocabulary: Sequence[str]) -> Schema:
    words: dict[str, Any] = {"enum": ["", *vocabulary]} if vocabulary else {}
    return {"type": "string", **words}


def all_formats() -> list[Format]:
    """Every format."""
    return list(FORMATS.values())
