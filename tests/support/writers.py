"""Small Parquet files as other writers make them, a case for each of what they do otherwise than pyarrow."""

import datetime as dt
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fastparquet
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support import edits

ID = "6f1e2a34-0000-4000-8000-1234567890ab"
HALF_PAST_NINE = dt.time(9, 30)
DAY, FOR_EVER = dt.datetime(2024, 1, 1), dt.datetime(9999, 12, 31)
LZ4, LZO = 5, 3


@dataclass(frozen=True)
class Case:
    """A file of two rows with k = 1 and 2, and how pyarrow is to read it.

    ``filters`` are those that find the row with k = 1 alone. ``texts`` are what pyarrow leaves as bytes
    though the file says that they are text.
    """

    write: Callable[[Path], object]
    filters: tuple[str, ...] = ("k=1",)
    reading: tuple[tuple[str, Any], ...] = ()
    texts: tuple[str, ...] = ()

    def read(self, file: Path | io.BytesIO) -> pa.Table:
        table = pq.ParquetFile(file, **dict(self.reading)).read()
        for name in self.texts:
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, table[name].cast(pa.string()))
        return table


def arrow(*columns: tuple[str, pa.Array], nullable: bool = True, **options: Any) -> Callable[[Path], object]:
    """Write as pyarrow does."""
    fields = [pa.field("k", pa.int64(), nullable)]
    fields += [pa.field(name, column.type, nullable) for name, column in columns]
    table = pa.Table.from_arrays(
        [pa.array([1, 2]), *(column for _, column in columns)], schema=pa.schema(fields)
    )
    return lambda path: pq.write_table(table, path, **options)


def duck(columns: str, options: str = "") -> Callable[[Path], object]:
    """Write as DuckDB does, each row with its k."""
    return lambda path: duckdb.sql(
        f"COPY (SELECT k, {columns} FROM (VALUES (1), (2)) AS t(k)) TO '{path}' ({options} FORMAT parquet)"
    )


def frame(**columns: pl.Series) -> Callable[[Path], object]:
    """Write as polars does."""
    return lambda path: pl.DataFrame({"k": [1, 2], **columns}).write_parquet(path)


def edit(change: Callable[[edits.Struct], None], *columns: tuple[str, pa.Array]) -> Callable[[Path], object]:
    """Write as pyarrow does without an Arrow schema, then change the footer."""
    table = pa.table({"k": pa.array([1, 2]), **dict(columns)})
    return lambda path: path.write_bytes(edits.edited(edits.plain(table), change))


def hadoop(page: bytes) -> bytes:
    """LZ4 as Hadoop frames it."""
    block = pa.Codec("lz4_raw").compress(page, asbytes=True)
    return struct.pack(">II", len(page), len(block)) + block


def recompressed(codec: int, compress: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    table = pa.table({"k": [1, 2], "v": ["a" * 100, None], "n": [Decimal("1.10"), None]})
    plain = edits.plain(table, data_page_version="1.0")
    return lambda path: path.write_bytes(edits.recompressed(plain, codec, compress))


def two_levels(footer: edits.Struct) -> None:
    """The list as protobuf and old Hive write it: the group has the repeated value itself."""
    elements = edits.elements(footer)
    del elements[3]
    elements[2][5], elements[3][3], elements[3][4] = (5, 1), (5, 2), (8, b"array")
    for chunk in edits.chunks(footer):
        if chunk[3][1][1][0] == b"v":
            chunk[3] = (9, (8, [b"v", b"array"]))


def converted(kind: int) -> Callable[[edits.Struct], None]:
    """The last column with a converted type alone, as writers before logical types have it."""

    def change(footer: edits.Struct) -> None:
        edits.elements(footer)[-1][6] = (5, kind)

    return change


def pandas_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "k": [1, 2],
            "s": ["é", None],
            "f": [0.1, float("nan")],
            "b": [True, False],
            "t": pd.to_datetime(["2024-01-01T00:00:00.123456", "2024-01-02T00:00:00.000000"]),
            "d": pd.to_timedelta([1, 2], "s"),
        }
    )


TIMES = pa.array([HALF_PAST_NINE, None], pa.time64("us"))
TIMES_NS = pa.array([34_200_000_000_001, None], pa.time64("ns"))
UTC = {"write_time_adjusted_to_utc": True, "store_schema": False}
INT96 = {"use_deprecated_int96_timestamps": True, "store_schema": False}
IN_MICROSECONDS = (("coerce_int96_timestamp_unit", "us"),)
REQUIRED = pa.struct(
    [
        pa.field("a", pa.int64(), nullable=False),
        pa.field("s", pa.string(), nullable=False),
        pa.field("t", pa.struct([pa.field("u", pa.bool_(), nullable=False)]), nullable=False),
        pa.field("l", pa.list_(pa.field("element", pa.float64(), nullable=False)), nullable=False),
        pa.field("m", pa.map_(pa.string(), pa.field("value", pa.date32(), nullable=False)), nullable=False),
        pa.field("d", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ]
)
FULL = {"a": 1, "s": "x", "t": {"u": True}, "l": [0.5], "m": [("y", dt.date(2024, 1, 1))], "d": "z"}
SPLIT = {
    "int32": pa.array([1, 2], pa.int32()),
    "int64": pa.array([2**63 - 1, 2]),
    "uint16": pa.array([1, 2], pa.uint16()),
    "decimal": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
    "long decimal": pa.array([Decimal("12345678901234567890.12"), None], pa.decimal128(38, 2)),
    "date": pa.array([dt.date(2024, 1, 1), None]),
    "timestamp": pa.array([DAY, FOR_EVER], pa.timestamp("us")),
    "float": pa.array([0.1, None], pa.float32()),
    "half float": pa.array([1.5, None], pa.float16()),
    "bytes": pa.array([b"abcd", None], pa.binary(4)),
}


def views(kind: pa.DataType) -> pa.Array:
    return pa.array([[1, None], None], kind)


CASES: dict[str, Case] = {
    "required": Case(
        arrow(("v", pa.array(["a", "b"])), ("s", pa.array([FULL, FULL], REQUIRED)), nullable=False),
        ("k=1", "v=a"),
    ),
    "required under a NULL": Case(arrow(("v", pa.array([FULL, None], REQUIRED)))),
    "required in lists": Case(
        arrow(("v", pa.array([[FULL, FULL], []], pa.list_(pa.field("element", REQUIRED, False)))))
    ),
    "time of UTC": Case(arrow(("v", TIMES), **UTC), ("k=1", "v=09:30:00", "v=09:30")),
    "time of UTC, ms": Case(arrow(("v", TIMES.cast(pa.time32("ms"))), **UTC), ("k=1", "v=09:30:00")),
    "time of UTC, ns": Case(arrow(("v", TIMES_NS), **UTC)),
    "time of UTC in a struct": Case(arrow(("v", pa.StructArray.from_arrays([TIMES], ["t"])), **UTC)),
    "time of UTC in a list": Case(
        arrow(("v", pa.array([[HALF_PAST_NINE, None], None], pa.list_(pa.time64("us")))), **UTC)
    ),
    "time of UTC in a map": Case(
        arrow(
            (
                "v",
                pa.array(
                    [[(HALF_PAST_NINE, HALF_PAST_NINE)], None], pa.map_(pa.time64("us"), pa.time64("us"))
                ),
            ),
            **UTC,
        )
    ),
    "time of UTC, ns, in a list": Case(arrow(("v", pa.ListArray.from_arrays([0, 2, 2], TIMES_NS)), **UTC)),
    "INT96": Case(arrow(("v", pa.array([DAY, None], pa.timestamp("us"))), **INT96)),
    "INT96 of nanoseconds": Case(
        arrow(("v", pa.array([1_600_000_000_123_456_789, None], pa.timestamp("ns"))), **INT96)
    ),
    "INT96 for ever": Case(
        arrow(("v", pa.array([DAY, FOR_EVER], pa.timestamp("us"))), **INT96), reading=IN_MICROSECONDS
    ),
    "INT96 for ever, with an Arrow schema": Case(
        arrow(("v", pa.array([FOR_EVER, None], pa.timestamp("us"))), use_deprecated_int96_timestamps=True),
        reading=IN_MICROSECONDS,
    ),
    "INT96 for ever in lists and structs": Case(
        arrow(
            ("l", pa.array([[DAY, FOR_EVER, None], None], pa.list_(pa.timestamp("us")))),
            (
                "s",
                pa.array(
                    [{"t": FOR_EVER, "n": 1}, None], pa.struct([("n", pa.int8()), ("t", pa.timestamp("us"))])
                ),
            ),
            ("m", pa.array([[("a", FOR_EVER)], None], pa.map_(pa.string(), pa.timestamp("us")))),
            **INT96,
        ),
        reading=IN_MICROSECONDS,
    ),
    "two-level list": Case(
        edit(two_levels, ("v", pa.array([[1, 2], []], pa.list_(pa.field("element", pa.int64(), False)))))
    ),
    "decimals as integers": Case(
        arrow(("v", pa.array([Decimal("1.10"), None], pa.decimal128(9, 2))), store_decimal_as_integer=True),
        ("k=1", "v=1.1"),
    ),
    "ENUM": Case(edit(converted(4), ("v", pa.array([b"a", None]))), ("k=1", "v=a"), texts=("v",)),
    "JSON by converted type": Case(edit(converted(19), ("v", pa.array([b'{"a": 1.10}', b"[]"])))),
    "text by converted type": Case(edit(converted(0), ("v", pa.array([b"a", b"b"]))), ("k=1", "v=a")),
    "bytes without annotation": Case(edit(lambda _: None, ("v", pa.array([b"text", None])))),
    "list view": Case(arrow(("v", views(pa.list_view(pa.int64()))))),
    "large list view": Case(arrow(("v", views(pa.large_list_view(pa.int64()))))),
    "list view in a struct": Case(
        arrow(("v", pa.StructArray.from_arrays([views(pa.list_view(pa.int64()))], ["l"])))
    ),
    "Hadoop's LZ4": Case(recompressed(LZ4, hadoop), ()),
    "DuckDB's UUID and JSON": Case(
        duck(
            f"CASE k WHEN 1 THEN '{ID}'::UUID END AS id,"
            """ CASE k WHEN 1 THEN '{"a": 1.10, "b": [12345678901234567890]}'::JSON END AS j"""
        ),
        ("k=1", f"id={ID}", f"id={ID.upper()}"),
    ),
    "DuckDB's UUID and JSON, nested": Case(
        duck(
            f"['{ID}'::UUID, NULL] AS l, MAP {{'{ID}'::UUID: '1.10'::JSON}} AS m,"
            f""" {{'u': '{ID}'::UUID, 'j': '{{"a": 1.10}}'::JSON}} AS s"""
        )
    ),
    "DuckDB's own": Case(
        duck(
            "'a'::ENUM('a', 'b') AS e, '101'::BIT AS b, 1::HUGEINT AS h, [1, 2]::INT[2] AS l,"
            " MAP {'a': 1} AS m, union_value(n := 1) AS u,"
            " '2024-01-01 00:00:00.123456789'::TIMESTAMP_NS AS ns, '2024-01-01'::TIMESTAMP_S AS s,"
            " '2024-01-01 01:00:00+01'::TIMESTAMPTZ AS z, '09:30:00+00'::TIMETZ AS t,"
            " 1.10::DECIMAL(38, 10) AS d, true AS bool, 'ab'::BLOB AS blob"
        ),
        ("k=1&e=a&h=1&z=2024-01-01&t=09:30&d=1.1&bool=true",),
    ),
    "DuckDB's second version of pages": Case(
        duck("k AS n, 'abc' || k AS v, k / 7 AS f, k > 1 AS b", "PARQUET_VERSION v2,"), ("v=abc1", "b=false")
    ),
    "polars' own": Case(
        frame(
            e=pl.Series(["a", None], dtype=pl.Enum(["a", "b"])),
            c=pl.Series(["a", None], dtype=pl.Categorical),
            d=pl.Series([dt.timedelta(seconds=1), None]),
            t=pl.Series([HALF_PAST_NINE, None]),
            n=pl.Series([None, None]),
            a=pl.Series([[1, 2], None], dtype=pl.Array(pl.Int8, 2)),
            x=pl.Series(["1.10", None]).cast(pl.Decimal(38, 2)),
            z=pl.Series([DAY, None], dtype=pl.Datetime("ns")).dt.replace_time_zone("Europe/London"),
            b=pl.Series([b"a", None]),
            h=pl.Series([1.5, None], dtype=pl.Float16),
            l=pl.Series([[{"a": 1}], None]),
        ),
        ("k=1", "e=a", "c=a", "x=1.1"),
    ),
    "fastparquet": Case(
        lambda path: fastparquet.write(str(path), pandas_frame()),
        ("k=1", "s=%C3%A9", "b=true", "t=2024-01-01T00:00:00.123456"),
    ),
    "fastparquet for Spark": Case(
        lambda path: fastparquet.write(
            str(path), pandas_frame().drop(columns="d"), times="int96", compression="GZIP"
        )
    ),
    **{
        f"byte stream split of {name}": Case(
            arrow(("v", column), column_encoding={"v": "BYTE_STREAM_SPLIT"}, use_dictionary=False),
        )
        for name, column in SPLIT.items()
    },
}
