"""What a query and its columns are called for people."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from application.models import Column, Filter
from application.query.operators import OPERATORS
from application.query.values import is_text, value_type

# The names of values, by column, then by value.
Labels = Mapping[str, Mapping[str, str]]
NAMES = {
    "ndjson": "NDJSON",
    "parquet": "Parquet",
    "geoparquet": "GeoParquet",
    "geojson": "GeoJSON",
    "geojsonl": "GeoJSON, a line a feature",
    "arrow": "Arrow",
    "xlsx": "Excel",
    "fgb": "FlatGeobuf",
    "gpkg": "GeoPackage",
}
# More values than these are counted.
MOST_TOLD = 3
LONGEST_TOLD = 60
KINDS = (
    (is_text, "text"),
    (pa.types.is_integer, "whole number"),
    (pa.types.is_floating, "number"),
    (pa.types.is_decimal, "decimal number"),
    (pa.types.is_boolean, "true or false"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time of day"),
    (pa.types.is_timestamp, "date and time"),
    (pa.types.is_duration, "duration"),
    (lambda kind: isinstance(kind, pa.UuidType), "identifier"),
    (pa.types.is_map, "map"),
    (pa.types.is_struct, "record"),
    (pa.types.is_nested, "list"),
    (lambda kind: isinstance(kind, pa.JsonType), "JSON"),
)


def format_name(extension: str) -> str:
    """What a format is called."""
    return NAMES.get(extension, extension.upper())


def kind_of(column: Column) -> str:
    """What a column holds."""
    if column.traits.geometry:
        return "geometry"
    kind = value_type(column.field.type)
    return next((words for matches, words in KINDS if matches(kind)), "bytes")


def is_number(column: Column) -> bool:
    """True for what stands to the right in a table."""
    kind = value_type(column.field.type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def told(item: Filter, labels: Labels) -> str:
    """A filter as a sentence: `quality is some or none`."""
    row = OPERATORS[item.operator]
    if row.takes == 0:
        return f"{item.column.name} {row.words}"
    known = labels.get(item.column.name, {})
    shown = [_value(value, known) for value in item.values[:MOST_TOLD]]
    more = len(item.values) - MOST_TOLD
    joined = listed([*shown, f"{more:,} more"] if more > 0 else shown, "or")
    return f"{item.column.name} {row.words} {joined}"


def listed(items: Iterable[str], word: str) -> str:
    """Items as a sentence has them: `a, b or c`."""
    *most, last = items
    return f"{', '.join(most)} {word} {last}" if most else last


def _value(value: str, known: Mapping[str, str]) -> str:
    if label := known.get(value):
        return f"{label} ({value})"
    if not value:
        return "empty"
    return value if len(value) <= LONGEST_TOLD else value[: LONGEST_TOLD - 1] + "…"
