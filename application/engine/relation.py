"""Parts as SQL relations with the dataset's columns, whichever way each part holds them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from pyarrow import types

from application.engine.database import literal
from application.models import Column, Dataset, Part
from application.query.sql import PLACES, quote
from application.storage.base import EngineAccess

WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Run:
    """Parts after each other that have the same columns of their own, and folders of the same values."""

    parts: tuple[Part, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The parts' own columns."""
        return self.parts[0].columns

    @property
    def data_bytes(self) -> int:
        """Uncompressed bytes of all rows."""
        return sum(part.data_bytes for part in self.parts)

    def own(self, columns: Sequence[Column]) -> list[Column | None]:
        """For each of the dataset's columns the parts' own one, or None where they have none."""
        # Names are one column's each, but in a dataset of one kind of parts, where they go by position.
        known = {column.name: column for column in self.columns}
        return [known.get(column.name) for column in columns]

    def dataset(self, dataset: Dataset) -> Dataset:
        """The dataset as if it were these parts alone, with their own columns."""
        extents = replace(dataset.extents, groups=tuple(part.groups for part in self.parts))
        objects = tuple(part.meta for part in self.parts)
        return replace(dataset, objects=objects, columns=self.columns, extents=extents)


def runs_of(parts: Sequence[Part], *, most_parts: int, most_bytes: int) -> list[Run]:
    """The parts in their order as runs of at most so many parts, and about so many uncompressed bytes."""
    runs: list[list[Part]] = []
    size = 0
    for part in parts:
        last = runs[-1][-1] if runs else None
        is_alike = last is not None and last.columns is part.columns and last.folder == part.folder
        if is_alike and len(runs[-1]) < most_parts and size + part.data_bytes <= most_bytes:
            runs[-1].append(part)
            size += part.data_bytes
        else:
            runs.append([part])
            size = part.data_bytes
    return [Run(tuple(run)) for run in runs]


def relation(access: EngineAccess, columns: Sequence[Column], run: Run, *, places: bool) -> str:
    """SQL of a run's rows with these of the dataset's columns; with ``places`` also part and row number."""
    scan = scan_of(access, [part.meta.path for part in run.parts])
    own = run.own(columns)
    if all(mine is column for mine, column in zip(own, columns, strict=True)):
        return scan
    folder = dict(run.parts[0].folder)
    shown = [
        f"{_expression(column, mine, folder.get(column.name))} AS {quote(column.engine_name)}"
        for column, mine in zip(columns, own, strict=True)
    ]
    return f"(SELECT {', '.join([*shown, *(PLACES if places else ())])} FROM {scan})"


def relation_of_all(access: EngineAccess, columns: Sequence[Column], runs: Sequence[Run]) -> str:
    """SQL of all runs' rows, one run after the other, with places, for a query that needs all to answer."""
    part, row = PLACES
    alone, first = [], 0
    for run in runs:
        sql = relation(access, columns, run, places=True)
        alone.append(f"SELECT {_names(columns)}, {part} + {first} AS {part}, {row} FROM {sql}")
        first += len(run.parts)
    return f"({' UNION ALL '.join(alone)})"


def scan_of(access: EngineAccess, paths: Sequence[str]) -> str:
    """SQL that reads these objects, which have the same columns."""
    urls = ", ".join(literal(_url(access, path)) for path in paths)
    return f"read_parquet([{urls}], hive_partitioning = false, union_by_name = false)"


def sql_type(kind: pa.DataType) -> str:
    """The engine's type for values of an Arrow type."""
    if isinstance(kind, pa.DictionaryType):
        return sql_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return {"arrow.json": "JSON", "arrow.uuid": "UUID"}.get(kind.extension_name) or sql_type(
            kind.storage_type
        )
    if types.is_struct(kind):
        fields = (kind.field(place) for place in range(kind.num_fields))
        return f"STRUCT({', '.join(f'{quote(field.name)} {sql_type(field.type)}' for field in fields)})"
    if types.is_map(kind):
        return f"MAP({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    if isinstance(kind, LISTS):
        return f"{sql_type(kind.value_type)}[]"
    if types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if types.is_timestamp(kind):
        if kind.tz is not None:
            return "TIMESTAMP WITH TIME ZONE"
        return "TIMESTAMP_NS" if kind.unit == "ns" else "TIMESTAMP"
    return next((name for matches, name in SQL_TYPES if matches(kind)), "VARCHAR")


def _expression(column: Column, own: Column | None, folder: str | None) -> str:
    """A column of the dataset over a part: its own in the dataset's type, what the folder says, or NULL."""
    if own is None:
        value = "NULL" if folder is None else literal(folder)
        return f"CAST({value} AS {column.engine_type})"
    name = quote(own.engine_name)
    if not own.engine_type:
        # To name it would be to read it.
        return f"CAST(NULL AS {column.engine_type or 'INTEGER'})"
    if column.as_text and own.engine_type == "BLOB":
        return f"decode({name})"
    if own.engine_type == column.engine_type or not own.exact:
        # What the engine cannot hold is read again from the file, in the file's type.
        return name
    if types.is_null(own.field.type):
        return f"CAST(NULL AS {column.engine_type})"
    return f"CAST({name} AS {column.engine_type})"


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(quote(column.engine_name) for column in columns)


def _url(access: EngineAccess, path: str) -> str:
    """The object's URL for read_parquet, to which a file `p[1].parquet` would else be `p1.parquet`."""
    # A pattern of an escaped root is outside the allowed one; there the name itself is found.
    if not access.has_patterns or WILDCARD.search(access.root):
        return access.root + path
    return access.root + WILDCARD.sub(r"[\g<0>]", path)


LISTS = (
    pa.ListType, pa.LargeListType, pa.FixedSizeListType, pa.ListViewType, pa.LargeListViewType,
)  # fmt: skip
SQL_TYPES = (
    (types.is_null, "INTEGER"),
    (types.is_boolean, "BOOLEAN"),
    (types.is_int8, "TINYINT"),
    (types.is_int16, "SMALLINT"),
    (types.is_int32, "INTEGER"),
    (types.is_int64, "BIGINT"),
    (types.is_uint8, "UTINYINT"),
    (types.is_uint16, "USMALLINT"),
    (types.is_uint32, "UINTEGER"),
    (types.is_uint64, "UBIGINT"),
    (types.is_float64, "DOUBLE"),
    (types.is_floating, "FLOAT"),
    (types.is_date, "DATE"),
    (types.is_time, "TIME"),
    (types.is_binary, "BLOB"),
    (types.is_large_binary, "BLOB"),
    (types.is_binary_view, "BLOB"),
    (types.is_fixed_size_binary, "BLOB"),
)
