"""What a Parquet schema says of its columns that the Arrow schema made of it does not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from application.formats.wkb import WkbType, wkb_type
from application.models import Traits

EXTENSION = (b"ARROW:extension:name", b"ARROW:extension:metadata")
GEOMETRIES = ("GEOMETRY", "GEOGRAPHY")
INTERVAL = "INTERVAL values, for which Arrow and the formats have no type"
LONG_INTEGERS = "integers of 128 bits, for which Arrow and the formats have no type"
NO_FIELDS = "structs without fields, of which Parquet keeps nothing"


def traits_of(
    parquet: pq.ParquetSchema, schema: pa.Schema, misplaced: frozenset[int] = frozenset()
) -> dict[str, Traits]:
    """The traits of the columns that have any, by name; ``misplaced`` are Parquet's columns."""
    geometries = _geometries(schema)
    found = {}
    start = 0
    for field, columns in zip(schema, _columns(parquet, schema), strict=True):
        places = range(start, start + len(columns))
        traits = _traits(field, columns, geometries)
        found[field.name] = replace(traits, misplaced=not misplaced.isdisjoint(places))
        start = places.stop
    return {name: traits for name, traits in found.items() if traits != Traits()}


def annotated(parquet: pq.ParquetSchema, schema: pa.Schema) -> pa.Schema:
    """The schema with what pyarrow leaves as bytes: ENUM is text, GEOMETRY has a type of its own."""
    fields = []
    for field, columns in zip(schema, _columns(parquet, schema), strict=True):
        kind = field.type
        if len(columns) == 1 and columns[0].logical_type.type in GEOMETRIES and _is_binary(kind):
            own = {key: value for key, value in (field.metadata or {}).items() if key not in EXTENSION}
            wkb = wkb_type(kind, columns[0].logical_type.to_json())
            fields.append(field.with_type(wkb).with_metadata(own))
        else:
            fields.append(field.with_type(_with_enums(kind, iter(columns))))
    return pa.schema(fields, schema.metadata)


def _columns(parquet: pq.ParquetSchema, schema: pa.Schema) -> Iterator[list[pq.ColumnSchema]]:
    """Parquet's columns of each field."""
    start = 0
    for field in schema:
        end = start + sum(1 for leaf in _leaves(field.type) if not _is_empty(leaf))
        yield [parquet.column(place) for place in range(start, end)]
        start = end


def _geometries(schema: pa.Schema) -> set[str]:
    """The columns that GeoParquet's metadata says are WKB."""
    try:
        columns = json.loads((schema.metadata or {})[b"geo"])["columns"]
        return {name for name, column in columns.items() if column["encoding"] == "WKB"}
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # Whoever wrote it may have written anything.
        return set()


def unknown_to_arrow(file: bytes) -> dict[str, Traits]:
    """The traits of the columns whose type is in polars' Arrow schemas alone; ``file`` may lack its data."""
    import polars as pl

    def has_long(kind: object) -> bool:
        if isinstance(kind, pl.Struct):
            return any(has_long(field.dtype) for field in kind.fields)
        return (
            has_long(kind.inner) if isinstance(kind, pl.List | pl.Array) else kind in (pl.Int128, pl.UInt128)
        )

    schema = pl.read_parquet_schema(BytesIO(file))
    return {name: Traits(refusal=LONG_INTEGERS) for name, kind in schema.items() if has_long(kind)}


def _traits(field: pa.Field, columns: list[pq.ColumnSchema], geometries: set[str]) -> Traits:
    if any(column.converted_type == "INTERVAL" for column in columns):
        return Traits(refusal=INTERVAL)
    if any(map(_is_empty, _leaves(field.type))):
        return Traits(refusal=NO_FIELDS)
    is_wkb = isinstance(field.type, WkbType) or (field.name in geometries and _is_binary(field.type))
    return Traits(int96=any(column.physical_type == "INT96" for column in columns), geometry=is_wkb)


def _with_enums(kind: pa.DataType, columns: Iterator[pq.ColumnSchema]) -> pa.DataType:
    """The type with text for the bytes of an ENUM, at any depth."""
    if isinstance(kind, pa.BaseExtensionType) or not kind.num_fields:
        column = None if _is_empty(kind) else next(columns)
        return pa.string() if _is_binary(kind) and column and column.logical_type.type == "ENUM" else kind

    def within(field: pa.Field) -> pa.Field:
        return field.with_type(_with_enums(field.type, columns))

    if pa.types.is_struct(kind):
        return pa.struct([within(field) for field in kind])
    if pa.types.is_map(kind):
        key = within(kind.key_field)
        return pa.map_(key, within(kind.item_field), kind.keys_sorted)
    inner = within(kind.value_field)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(inner, kind.list_size)
    return pa.list_(inner) if pa.types.is_list(kind) else kind


def _leaves(kind: pa.DataType) -> Iterator[pa.DataType]:
    """The types that Parquet has columns for, in the order of its columns, and structs without any."""
    if isinstance(kind, pa.BaseExtensionType):
        yield from _leaves(kind.storage_type)
    elif not kind.num_fields:
        yield kind
    elif pa.types.is_map(kind):
        # Its one field is the entry.
        yield from _leaves(kind.key_type)
        yield from _leaves(kind.item_type)
    else:
        for index in range(kind.num_fields):
            yield from _leaves(kind.field(index).type)


def _is_empty(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))
