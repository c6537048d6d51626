"""Query parameters as OpenAPI has them, from the tables of parameters and operators."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from application.formats import Format
from application.models import Column
from application.query.filters import meant
from application.query.names import ColumnNames, NameProblem
from application.query.operators import OPERATORS, Operator
from application.query.parameters import PARAMETERS, Parameter
from application.query.period import end_column
from application.query.planning_data import NAMED_FILTERS
from application.query.schemas import Schema
from application.query.values import value_type

# Past this nobody could read a parameter for each: the columns are then members of one.
MOST_FILTERS = 1000
DEFAULT = OPERATORS["exact"]
TEXT: Schema = {"type": "string"}
FILTER_WORDS = (
    "`COLUMN=V`, or `COLUMN__OPERATOR=V` with one of the operators "
    f"{', '.join(f'`{name}`' for name in OPERATORS)}"
)


def named_parameters(
    columns: Sequence[Column], formats: Sequence[Format], *, has_geometry: bool = True
) -> list[Schema]:
    """The parameters that are no filters, on a dataset of these columns (none: on any) in these formats."""
    return [
        _named(row, columns)
        for row in PARAMETERS.values()
        if _is_written(row, formats) and _applies(row, columns) and (has_geometry or not row.is_of_geometry)
    ]


def _is_written(row: Parameter, formats: Sequence[Format]) -> bool:
    """False for what says how something is written that none of the formats writes."""
    if row.is_of_text:
        return any(each.dialect for each in formats)
    if row.name == "geometry":
        return any(each.wkt and not each.geometry for each in formats)
    return row.name != "crs" or any((each.wkt or each.geometry) and not each.crs for each in formats)


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
    words = f"{FILTER_WORDS}. A dataset's own document lists its columns."
    return [
        *known,
        _members(words, {"additionalProperties": {"oneOf": [TEXT, {"type": "array", "items": TEXT}]}}),
    ]


def own_filters(columns: Sequence[Column], taken: Sequence[str] = ()) -> list[Schema]:
    """The filters on these columns, each with the operators that apply, while they can be read.

    ``taken`` are names that mean something else here, beside those of all parameters.
    """
    names, reserved = ColumnNames(columns), {*PARAMETERS, *taken}
    filters = list(islice(_filters(columns, names, reserved, OPERATORS.values()), MOST_FILTERS + 1))
    if len(filters) <= MOST_FILTERS:
        return filters
    equal = {item["name"]: item["schema"] for item in _filters(columns, names, reserved, (DEFAULT,))}
    return [_members(FILTER_WORDS, {"properties": equal, "additionalProperties": TEXT})]


def form_schema(parameters: Sequence[Schema]) -> tuple[Schema, Schema]:
    """The schema of a form with these parameters, and how its members are written."""
    members: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
    encoding = {}
    for parameter in parameters:
        name, schema = parameter["name"], parameter["schema"]
        if schema.get("type") == "object":
            members["properties"] |= schema.get("properties", {})
            members["additionalProperties"] = schema["additionalProperties"]
            continue
        members["properties"][name] = schema
        if parameter.get("explode") is False:
            encoding[name] = {"style": "form", "explode": False}
    return members, encoding


def _members(words: str, schema: Schema) -> Schema:
    """One parameter whose members are parameters."""
    return {
        "name": "filters",
        "in": "query",
        "description": words,
        "style": "form",
        "explode": True,
        "schema": {"type": "object", **schema},
        "example": {},
    }


def _filters(
    columns: Sequence[Column], names: ColumnNames, reserved: set[str], operators: Iterable[Operator]
) -> Iterator[Schema]:
    for column in columns:
        kind = value_type(column.field.type)
        for row in operators:
            name = f"{column.name}__{row.name}"
            if row is DEFAULT and column.name not in reserved:
                name = column.name
            is_possible = row.applies(kind) and (column.exact or row.takes == 0)
            if is_possible and name not in reserved and _means(name, column, row, names):
                yield _filter(name, column, row)


def _means(name: str, column: Column, row: Operator, names: ColumnNames) -> bool:
    """True where a name is not that of another column, nor of several."""
    try:
        return meant(name, names) == (column, row.name)
    except NameProblem:
        return False


def _filter(name: str, column: Column, row: Operator) -> Schema:
    named = NAMED_FILTERS.get(column.name) if row.whole else None
    schema = row.schema(column.field.type)
    if named and named.vocabulary:
        words = _words(named.vocabulary)
        schema = {**schema, "items": words} if schema["type"] == "array" else words
    parameter: Schema = {
        "name": name,
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
    if not columns:
        return True
    if row.name == "period":
        return end_column(columns) is not None
    # Without a name that could be said there is nothing to say.
    return row.name != "sort" or "enum" in row.schema(columns)["items"]


def _words(vocabulary: Sequence[str]) -> Schema:
    words: dict[str, Any] = {"enum": ["", *vocabulary]} if vocabulary else {}
    return {"type": "string", **words}
