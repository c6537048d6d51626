"""What comes out whole is read by pyarrow or polars, as it was written; else the engine goes on."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.datasets.catalogue import Catalogue
from application.engine import direct, frames
from application.engine.cancellation import Cancellation
from application.engine.frames import Frames
from application.engine.reads import BATCH_BYTES
from application.engine.scan import Engine
from application.errors import DatasetChanged, DatasetInvalid, ProductionCancelled, StorageUnavailable
from application.models import Dataset, Filter, Order, Query
from tests.support.watched import Watched, opened

MEGABYTE = 1 << 20


@pytest.fixture(params=["pyarrow", "polars"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who reads all of a part but its first rows."""
    if request.param == "polars":
        monkeypatch.setattr(direct, "MANY_ROWS", 1)
        monkeypatch.setattr(direct, "FIRST_ROWS", 2)
        monkeypatch.setattr(direct, "SOON_ROWS", 2)
        monkeypatch.setattr(frames, "LEAST_ROWS", 1)
    return str(request.param)


def found(storage: Watched, engine: Engine) -> Dataset:
    """The dataset, of which nothing is read from now on."""
    dataset = Catalogue(storage, engine, 0).get("t")
    storage.read_bytes.clear()
    return dataset


def rows(engine: Engine, dataset: Dataset, query: Query | None = None, cursors: int = 1) -> list[Any]:
    query = query or Query(dataset.columns)
    with closing(engine.batches(dataset, query, Cancellation(), cursors=cursors)) as batches:
        return [row for batch in batches for row in batch.to_pylist()]


def large(folder: Path, groups: int = 1) -> list[dict[str, Any]]:
    """12,000 rows of 2 KB that nothing makes shorter, in so many row groups."""
    written = [{"n": n, "text": f"{n * 7919:0128x}" * 16} for n in range(12_000)]
    pq.write_table(
        pa.Table.from_pylist(written),
        folder / "t.parquet",
        row_group_size=len(written) // groups,
        use_dictionary=False,
        compression="none",
    )
    return written


@pytest.mark.parametrize("by", ["nothing", "columns", "limit", "filter", "order"])
def test_the_engine_reads_what_is_asked_of_and_nothing_else(
    tmp_path: Path, storage: Watched, engine: Engine, by: str
) -> None:
    written = large(tmp_path)
    dataset = found(storage, engine)
    number, _ = dataset.columns
    every = Query(dataset.columns)
    query, expected, is_direct = {
        "nothing": (every, written, True),
        "columns": (replace(every, columns=(number,)), [{"n": row["n"]} for row in written], True),
        "limit": (replace(every, limit=5, offset=7), written[7:12], True),
        "filter": (replace(every, filters=(Filter(number, "gte", ("11990",)),)), written[11_990:], False),
        "order": (replace(every, order=(Order(number, descending=True),)), written[::-1], False),
    }[by]
    assert rows(engine, dataset, query) == expected
    assert bool(storage.read_bytes) == is_direct


def test_the_first_rows_of_a_large_row_group_come_before_the_rest_is_read(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    written = large(tmp_path)
    dataset = found(storage, engine)
    with closing(engine.batches(dataset, Query(dataset.columns), Cancellation())) as batches:
        first = next(batches)
        assert first.to_pylist() == written[: len(first)]
        assert sum(storage.read_bytes) < 16 * MEGABYTE < sum(len(row["text"]) for row in written)


def test_a_limit_reads_no_more_than_its_rows_take(tmp_path: Path, storage: Watched, engine: Engine) -> None:
    written = large(tmp_path, groups=60)
    dataset = found(storage, engine)
    assert rows(engine, dataset, replace(Query(dataset.columns), limit=3)) == written[:3]
    assert sum(storage.read_bytes) < 3 * MEGABYTE


def test_far_away_small_row_groups_come_by_few_requests(tmp_path: Path) -> None:
    storage = Watched(tmp_path, is_near=False)
    with closing(opened(storage)) as engine:
        written = large(tmp_path, groups=60)
        dataset = found(storage, engine)
        assert rows(engine, dataset) == written
    # 120 column chunks of 25 MB: the footer, and requests of some megabytes.
    assert len(storage.read_bytes) <= 10


@pytest.mark.parametrize("cursors", [1, 3])
def test_spans_are_read_directly_and_in_their_order(
    tmp_path: Path, storage: Watched, engine: Engine, cursors: int
) -> None:
    written = large(tmp_path, groups=12)
    dataset = found(storage, engine)
    assert rows(engine, dataset, cursors=cursors) == written
    assert storage.read_bytes


def test_a_large_text_that_many_rows_repeat_is_in_memory_for_few_of_them(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    """Written once, in a dictionary, 30 KB for each row; and nothing in the first rows tells of it."""
    texts = [f"{n:04}" * 7500 for n in range(20)]
    values = ["short"] * 2000 + [texts[n % 20] for n in range(10_000)]
    table = pa.table({"n": range(len(values)), "text": pa.array(values).dictionary_encode()})
    pq.write_table(table, tmp_path / "t.parquet", store_schema=False, compression="zstd")
    del values, table
    dataset = found(storage, engine)
    before, most, count = pa.total_allocated_bytes(), 0, 0
    with closing(engine.batches(dataset, Query(dataset.columns), Cancellation())) as batches:
        for batch in batches:
            expected = [
                (n, "short" if n < 2000 else texts[(n - 2000) % 20]) for n in range(count, count + len(batch))
            ]
            assert [(row["n"], row["text"]) for row in batch.to_pylist()] == expected
            assert batch.nbytes <= BATCH_BYTES + 30_000
            count += len(batch)
            most = max(most, pa.total_allocated_bytes() - before)
    assert count == 12_000
    assert most < 128 * MEGABYTE


FAILURES = [OSError("as pyarrow fails over what it does not know"), StorageUnavailable("It was too slow.")]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("given_before", [0, 3, 8])
def test_where_it_fails_the_engine_goes_on_with_the_row_that_is_next(
    tmp_path: Path, storage: Watched, engine: Engine, given_before: int, failure: Exception
) -> None:
    written = large(tmp_path, groups=3)
    dataset = found(storage, engine)

    def fail() -> None:
        if len(storage.read_bytes) > given_before:
            raise failure

    storage.before = fail
    assert rows(engine, dataset) == written


def test_a_replaced_file_is_told_as_such(tmp_path: Path, storage: Watched, engine: Engine) -> None:
    large(tmp_path, groups=3)
    dataset = found(storage, engine)

    def fail() -> None:
        if len(storage.read_bytes) > 2:
            raise DatasetChanged("It was replaced.")

    storage.before = fail
    with pytest.raises(DatasetChanged, match="It was replaced"):
        rows(engine, dataset)


def test_a_cancelled_download_ends_between_its_batches(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    large(tmp_path)
    dataset, cancellation = found(storage, engine), Cancellation()
    with closing(engine.batches(dataset, Query(dataset.columns), cancellation)) as batches:
        next(batches)
        cancellation.set()
        with pytest.raises(ProductionCancelled):
            list(batches)


def test_a_cancelled_download_does_not_wait_for_far_storage(tmp_path: Path) -> None:
    storage = Watched(tmp_path, is_near=False)
    waits, go_on = threading.Event(), threading.Event()
    large(tmp_path)
    with closing(opened(storage)) as engine:
        dataset, cancellation = found(storage, engine), Cancellation()

        def stall() -> None:
            if len(storage.read_bytes) > 1:
                waits.set()
                go_on.wait(60)

        storage.before = stall
        canceller = threading.Thread(target=lambda: waits.wait(60) and cancellation.set())
        canceller.start()
        try:
            with pytest.raises(ProductionCancelled):
                list(engine.batches(dataset, Query(dataset.columns), cancellation))
            assert not go_on.is_set()
        finally:
            go_on.set()
            canceller.join()


def test_text_that_is_not_utf8_is_refused_by_its_column(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    bad = pa.StringArray.from_buffers(
        2, pa.array([0, 2, 5], pa.int32()).buffers()[1], pa.py_buffer(b"ok\xff\xfe!")
    )
    pq.write_table(pa.table({"n": [1, 2], "broken": bad}), tmp_path / "t.parquet")
    with pytest.raises(DatasetInvalid, match="'broken'"):
        rows(engine, found(storage, engine))


# Values and how they are written: all that is read directly, and all that decides how its pages look.
VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)),
    "long": (pa.large_string(), st.sampled_from(["", "a", "é" * 300, "\x00", '"', "line\nend"])),
    "bytes": (pa.binary(), st.binary(max_size=20)),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "small": (pa.int8(), st.integers(-128, 127)),
    "natural": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "real": (pa.float64(), st.floats(allow_nan=False)),
    "short real": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "flag": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates(date(1, 1, 1))),
    "money": (
        pa.decimal128(12, 2),
        st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-2)),
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
    count = draw(st.integers(1, 60))
    columns = {}
    for name in names:
        kind, values = VALUES[name]
        some = draw(st.lists(st.none() | values, min_size=1, max_size=count))
        columns[name] = pa.array([some[at % len(some)] for at in range(count)], kind)
    return pa.table(columns)


WRITTEN = st.fixed_dictionaries(
    {
        "row_group_size": st.integers(1, 60),
        "data_page_size": st.sampled_from([1, 1 << 20]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "use_dictionary": st.booleans(),
        "compression": st.sampled_from(["none", "snappy", "zstd", "gzip", "lz4", "brotli"]),
        "write_statistics": st.booleans(),
    }
)


@pytest.mark.parametrize("is_near", [True, False], ids=["near", "far"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), how=WRITTEN, by_polars=st.booleans(), at_once=st.sampled_from([1, 7, 40, 100]))
def test_values_are_those_that_were_written_and_those_of_the_engine(
    tmp_path: Path, is_near: bool, *, table: pa.Table, how: dict[str, Any], by_polars: bool, at_once: int
) -> None:
    path = tmp_path / "t.parquet"
    if by_polars:
        frame = pl.DataFrame({name: pl.from_arrow(table[name]) for name in table.column_names})
        frame.write_parquet(path, row_group_size=how["row_group_size"])
    else:
        pq.write_table(table, path, **how)
    storage = Watched(tmp_path, is_near=is_near)
    with closing(opened(storage)) as engine, pytest.MonkeyPatch.context() as patched:
        patched.setattr(frames, "MOST_ROWS", at_once)
        dataset = found(storage, engine)
        directly = rows(engine, dataset)
        assert storage.read_bytes
        assert directly == table.to_pylist()
        # And what the engine gives, when nothing else can read.
        storage.read_bytes.clear()
        storage.before = _refuse
        assert rows(engine, dataset) == directly
        assert not storage.read_bytes


class Spy(Frames):
    """Notes the rows that polars gave."""

    rows: ClassVar[list[int]] = []

    def batches(self, groups: Iterable[int], skip: int) -> Iterator[pa.RecordBatch]:
        for batch in super().batches(groups, skip):
            self.rows.append(batch.num_rows)
            yield batch


@pytest.mark.parametrize("many", [1, 12_000, 12_001])
@pytest.mark.parametrize("beside", [pa.string(), pa.timestamp("us")])
def test_polars_reads_many_rows_of_plain_columns_but_for_the_first(
    tmp_path: Path,
    storage: Watched,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    *,
    many: int,
    beside: Any,
) -> None:
    monkeypatch.setattr(direct, "MANY_ROWS", many)
    monkeypatch.setattr(direct, "FIRST_ROWS", 50)
    monkeypatch.setattr(direct, "SOON_ROWS", 50)
    monkeypatch.setattr(direct, "Frames", Spy)
    monkeypatch.setattr(Spy, "rows", [])
    monkeypatch.setattr(frames, "LEAST_ROWS", 1)
    columns = {"first": range(12_000), "n": range(12_000), "beside": pa.nulls(12_000, beside)}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=5_000, write_page_index=True)
    dataset = found(storage, engine)
    # Without the first column, whose bytes then are not in what polars is given.
    assert rows(engine, dataset, Query(dataset.columns[1:2])) == [{"n": n} for n in range(12_000)]
    assert sum(Spy.rows) == (11_950 if many <= 12_000 and beside == pa.string() else 0)


def test_columns_are_read_by_their_place_whatever_their_names_would_mean(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    names = ["^.*$", "*", "b", "col('b')", "ünï", "B"]
    written = [{name: f"{name} {at}" for name in names} for at in range(30)]
    pq.write_table(pa.Table.from_pylist(written), tmp_path / "t.parquet", row_group_size=8)
    dataset = found(storage, engine)
    backwards = dataset.columns[::-1]
    got = rows(engine, dataset, Query(backwards))
    assert got == written
    assert list(got[0]) == names[::-1]


def test_what_polars_may_hold_is_told_where_it_reads(
    tmp_path: Path, storage: Watched, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "MANY_ROWS", 12_000)
    monkeypatch.setattr(frames, "LEAST_ROWS", 1)
    large(tmp_path)
    dataset = found(storage, engine)
    every = Query(dataset.columns)
    # Of 2 KB a row so many as take FRAME_BYTES, and the file of 24 MB twice.
    told = direct.bytes_at_once(dataset, every, dataset.rows)
    assert frames.FRAME_BYTES * 0.9 + 2 * 24_000_000 < told < frames.FRAME_BYTES + 2 * frames.CUT_BYTES + 1
    assert direct.bytes_at_once(dataset, every, 11_999) == 0
    order = (Order(dataset.columns[0], descending=False),)
    assert direct.bytes_at_once(dataset, replace(every, order=order), dataset.rows) == 0


@pytest.mark.parametrize("most", [1, 1_000, 10_000, MEGABYTE])
def test_row_groups_are_decoded_together_where_their_columns_lie_near(
    tmp_path: Path, storage: Watched, engine: Engine, monkeypatch: pytest.MonkeyPatch, *, most: int
) -> None:
    """Between the numbers of two row groups lie 5,000 bytes of text; one of numbers alone has 500."""
    monkeypatch.setattr(frames, "CUT_BYTES", most)
    monkeypatch.setattr(direct, "CUT_BYTES", most)
    written = [{"n": n, "text": f"{n:0100}"} for n in range(500)]
    pq.write_table(
        pa.Table.from_pylist(written),
        tmp_path / "t.parquet",
        row_group_size=50,
        use_dictionary=False,
        compression="none",
    )
    dataset = found(storage, engine)
    number, _ = dataset.columns
    assert rows(engine, dataset, Query((number,))) == [{"n": row["n"]} for row in written]
    assert rows(engine, dataset) == written


@pytest.mark.parametrize("damage", ["panic", "error", "short"])
def test_what_polars_does_not_read_the_engine_goes_on_with(
    tmp_path: Path, storage: Watched, engine: Engine, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    written = large(tmp_path, groups=3)
    dataset = found(storage, engine)

    def broken(*_: Any, **__: Any) -> pl.LazyFrame:
        if damage == "panic":
            raise pl.exceptions.PanicException("index out of bounds")
        if damage == "error":
            raise pl.exceptions.ComputeError("out-of-spec")
        return pl.LazyFrame({"n": [1], "text": ["a"]})

    monkeypatch.setattr(pl, "scan_parquet", broken)
    assert rows(engine, dataset) == written


def _refuse() -> None:
    raise OSError("read it by the engine")
