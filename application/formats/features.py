"""Rows as features: a geometry, and the other columns, with the text of what the geometry does not say."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from application.errors import ColumnUnsupported
from application.geometry.reading import Geometries, flat, read, values_text
from application.geometry.systems import Change, OutsideSystem, change
from application.models import Column, Shape

TEXT = "_text"


class Features(NamedTuple):
    """The rows of a batch: their geometries, None for none, and their other columns."""

    geometries: Geometries
    properties: pa.RecordBatch


class FeatureReader:
    """Takes the geometry out of batches of one schema, into a reference system.

    In its place is a column `{geometry}_text`: what is stored where that is no geometry, or where the
    geometry has lost a part of it: M, and what is not flat or is empty, where ``is_flat``.
    """

    def __init__(self, shape: Shape, schema: pa.Schema, crs: str, *, is_flat: bool = False) -> None:
        self._is_flat = is_flat
        self._shape = shape
        self._name = shape.geometry.column
        self._change: Change = change(shape.geometry.crs, crs)
        self._place = schema.get_field_index(self._name)
        own = pa.field(text_name(shape), pa.string())
        fields = [own if place == self._place else field for place, field in enumerate(schema)]
        self.schema = pa.schema(fields)

    def read(self, batch: pa.RecordBatch) -> Features:
        """The features of a batch; raises ColumnUnsupported where a place is outside the reference system."""
        column = batch.column(self._place)
        geometries = read(column, self._shape.geometry.encoding)
        columns = list(batch.columns)
        encoding, is_flat = self._shape.geometry.encoding, self._is_flat
        columns[self._place] = values_text(column, geometries, encoding, is_flat=is_flat)
        geometries = flat(geometries) if is_flat else geometries
        return Features(
            moved(geometries, self._change, self._shape),
            pa.RecordBatch.from_arrays(columns, schema=self.schema),
        )


def moved(geometries: Geometries, by: Change, shape: Shape) -> Geometries:
    """The geometries in another reference system; raises ColumnUnsupported, which names the column."""
    try:
        return by.apply(geometries)
    except OutsideSystem:
        name = shape.geometry.column
        raise ColumnUnsupported(
            f"Column {name!r} has places for which {by.operation} has no answer; ask for another crs, or for "
            "the rows within an area."
        ) from None


def text_name(shape: Shape) -> str:
    """The column of what is no geometry."""
    return shape.geometry.column + TEXT


def check_names(columns: Sequence[Column], shape: Shape, extension: str) -> None:
    """Raise ColumnUnsupported where a column has the name that the format needs."""
    name = text_name(shape)
    if any(column.name == name for column in columns):
        raise ColumnUnsupported(
            f"{extension} has what is no geometry in a column {name!r}, and this dataset has one of that "
            f"name; leave it out with exclude_field={name}."
        )


def key_texts(column: pa.Array) -> pa.Array | None:
    """The column as text for GeoJSON's `id`, where it is of whole numbers or text; else None."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return key_texts(column.dictionary.take(column.indices))
    if pa.types.is_integer(kind):
        return column.cast(pa.string()).cast(pa.large_string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        # Polars comes with it, which the others do without.
        from application.formats.json_text import texts

        return pc.if_else(column.is_valid(), texts(column), None).cast(pa.large_string())
    return None
