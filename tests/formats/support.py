"""What the tests of the formats share: one column of every type, and files made of batches."""

import datetime as dt
import uuid
from collections.abc import Iterable
from decimal import Decimal

import pyarrow as pa

from application.formats import FORMATS
from application.geometry import WGS84
from application.models import Column, Geometry, Shape
from tests.support.geometry import TEXTS

HARD = ['a"b', "", None, "x,\r\ny\u2028\u0001\x7f😀\\/", "\r", "\n", "'", " lead", "é", "null"]
LONG = Decimal("12345678901234567890.123456789012345678")


def written(extension: str, table: pa.Table, batches: Iterable[pa.RecordBatch] | None = None) -> bytes:
    """Return the whole file; of a format whose rows are features with a geometry in each row."""
    row, shape = FORMATS[extension], None
    found = table.to_batches() if batches is None else list(batches)
    if row.geometry:
        shape = Shape(Geometry("geometry", "wkt", WGS84), "feature", row.crs)
        table, found = _with_geometry(table, found)
    encoder = row.open_encoder(shape=shape)
    opening = encoder.start(table.schema)
    chunks = [encoder.encode(batch) for batch in found if batch.num_rows]
    return bytes(opening) + row.joiner.join(map(bytes, chunks)) + bytes(encoder.finish())


def _with_geometry(table: pa.Table, batches: list[pa.RecordBatch]) -> tuple[pa.Table, list[pa.RecordBatch]]:
    texts = [text for text, _ in TEXTS]
    schema = table.schema.append(pa.field("geometry", pa.string()))
    found, row = [], 0
    for batch in batches:
        own = [texts[(row + place) % len(texts)] for place in range(len(batch))]
        row += len(batch)
        found.append(pa.RecordBatch.from_arrays([*batch.columns, pa.array(own, pa.string())], schema=schema))
    return pa.Table.from_batches(found, schema), found


def check(extension: str, schema: pa.Schema) -> None:
    """Check the columns of a schema as those of a dataset are checked."""
    FORMATS[extension].check_columns([Column(field.name, field.name, "", field) for field in schema])


def picked(name: str, rows: Iterable[int]) -> pa.Array:
    """Return these rows of a column of EVERY, counted around its end."""
    column = EVERY[name]
    # `take` has no kernel for views.
    return pa.concat_arrays([column.slice(row % len(column), 1) for row in rows] or [column.slice(0, 0)])


def cut(table: pa.Table, places: Iterable[int]) -> list[pa.RecordBatch]:
    """Return the table's rows as batches that end at these places; some may have no rows."""
    batch = table.combine_chunks().to_batches()[0]
    ends = [*sorted(place % (len(batch) + 1) for place in places), len(batch)]
    return [batch.slice(start, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _instants(unit: str) -> list[int | None]:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    far = [] if unit == "ns" else [-62135596800 * scale, 253402300799 * scale, 253402300800 * scale]
    return [0, -1, 1700000000 * scale, None, *far]


def _every() -> dict[str, pa.Array]:
    a = pa.array
    moments = {"s": pa.time32, "ms": pa.time32, "us": pa.time64, "ns": pa.time64}
    columns = {
        str(t): a([1, None, 0], t) for t in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16())
    }
    columns |= {
        "int64": a([2**63 - 1, -(2**63), None]),
        "uint32": a([2**32 - 1, None], pa.uint32()),
        "uint64": a([2**64 - 1, None], pa.uint64()),
        "bool": a([True, None, False]),
        "null": pa.nulls(2),
        "halffloat": a([1.5, None, float("nan"), float("-inf")], pa.float16()),
        "float": a([0.1, None, float("nan"), float("inf"), 1e20], pa.float32()),
        "double": a([0.1, None, float("nan"), float("-inf"), 1e300, 1e-7, 5e-324, -0.0]),
        "decimal32": a([Decimal("1.10"), None, Decimal("-0.01"), Decimal("0.00")], pa.decimal32(9, 2)),
        "decimal64": a([Decimal("1234567890123456.78"), None], pa.decimal64(18, 2)),
        "decimal128": a(
            [Decimal("12345678901234567890.123456789012345678"), None, Decimal(0)], pa.decimal128(38, 18)
        ),
        "decimal256": a([Decimal("1" * 70 + ".01"), None, Decimal("-0.01")], pa.decimal256(76, 2)),
        "date32": a([dt.date(1, 1, 1), dt.date(9999, 12, 31), None], pa.date32()),
        "date64": a([dt.date(1, 1, 1), dt.date(9999, 12, 31), None], pa.date64()),
        "uuid": pa.ExtensionArray.from_storage(pa.uuid(), a([uuid.UUID(int=5).bytes, None], pa.binary(16))),
        "dictionary": a(["a,", None, "", "a,"]).dictionary_encode(),
        "dictionary of decimals": a([Decimal("1.10"), None], pa.decimal128(5, 2)).dictionary_encode(),
        "list": a([[1, None], None, []], pa.list_(pa.int64())),
        "large list": a([["1", None, ""], None, []], pa.large_list(pa.string())),
        "fixed-size list": a([[1.5, None], None, [0.1, float("nan")]], pa.list_(pa.float64(), 2)),
        "list view": a([[1], None, [2, 3]], pa.list_view(pa.int16())),
        "struct": a(
            [{"a": 1, "A": Decimal("1.10"), 'q"\n': b"\xff"}, None, {"a": None, "A": None, 'q"\n': None}],
            pa.struct([("a", pa.int64()), ("A", pa.decimal128(38, 2)), ('q"\n', pa.binary())]),
        ),
        "list of structs": a(
            [[{"t": 0, "l": [[Decimal("0.1")], None]}, None], [], None],
            pa.list_(pa.struct([("t", pa.timestamp("ms")), ("l", pa.list_(pa.list_(pa.decimal64(9, 1))))])),
        ),
        "map": a([[('k"', 1), ("", None)], None, []], pa.map_(pa.string(), pa.int64())),
        "map from numbers": a(
            [[(1, [Decimal("1.0")])], None, []], pa.map_(pa.int32(), pa.list_(pa.decimal128(9, 1)))
        ),
        "map from dates": a(
            [[(dt.date(2020, 1, 2), dt.date(1, 1, 1))], None], pa.map_(pa.date32(), pa.date32())
        ),
    }
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        columns[str(kind)] = a(HARD, kind)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2)):
        columns[str(kind)] = a([b"\xff\x00", None], kind)
    texts = ['{"a": 1.10,\n "a": [9007199254740993]}', None, "not JSON", '"é\u2028"', "null", ""]
    for kind in (pa.string(), pa.large_string()):
        columns[f"json in {kind}"] = pa.ExtensionArray.from_storage(pa.json_(kind), a(texts, kind))
    for unit, moment in moments.items():
        for zone in (None, "UTC", "Europe/Paris", "+01:30"):
            columns[f"timestamp {unit} {zone}"] = a(_instants(unit), pa.int64()).cast(
                pa.timestamp(unit, zone)
            )
        columns[f"duration {unit}"] = a([5, None, -5], pa.duration(unit))
        columns[f"time {unit}"] = a([1, None, 0], moment(unit))
    identities = columns["uuid"]
    columns["list of uuids"] = pa.ListArray.from_arrays([0, 1, 2], identities)
    columns["struct of JSON"] = pa.StructArray.from_arrays([columns["json in string"]], names=["j"])
    columns["struct of dictionary"] = pa.StructArray.from_arrays([columns["dictionary"]], names=["d"])
    return columns


EVERY = _every()
