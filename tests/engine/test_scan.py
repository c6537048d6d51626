"""The engine reads its storage and nothing else, and outlives what happens to it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.catalogue import Catalogue
from application.engine.cancellation import Cancellation
from application.engine.database import Database
from application.engine.reads import BATCH_BYTES
from application.engine.scan import Engine
from application.errors import (
    Busy,
    DatasetInvalid,
    DownloadError,
    EngineFailed,
    ProductionCancelled,
    ResultTooLarge,
)
from application.models import Dataset, Filter, Query
from application.storage import Storage, open_storage
from application.storage.base import S3Secret

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
OpenEngine = Callable[[Storage], Engine]


@pytest.fixture
def open_engine() -> Iterator[OpenEngine]:
    """Opens engines, and closes them after the test."""
    opened: list[Engine] = []

    def engine(storage: Storage) -> Engine:
        database = Database(storage, memory_limit="512MB", threads=2, temp_directory=None, temp_limit="1GB")
        made = Engine(storage, database)
        opened.append(made)
        return made

    yield engine
    for made in opened:
        made.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of data, with a file beside it that is none of the engine's business."""
    root = tmp_path / "root"
    root.mkdir()
    for path in (root / "inside.parquet", tmp_path / "outside.parquet"):
        pq.write_table(pa.table({"n": [1, 2, 3]}), path)
    (root / "link.parquet").symlink_to(tmp_path / "outside.parquet")
    return root


@pytest.fixture
def storage(root: Path) -> Storage:
    return open_storage(str(root), "")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A bucket whose server does not answer: what is refused is refused before it is asked."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return open_storage("bucket", "dataset", endpoint_url="http://127.0.0.1:9")


def dataset(storage: Storage, engine: Engine, name: str) -> Dataset:
    return Catalogue(storage, engine, 0).get(name)


def rows(engine: Engine, found: Dataset) -> list[dict[str, object]]:
    batches = list(engine.batches(found, Query(found.columns), Cancellation()))
    return [row for batch in batches for row in batch.to_pylist()]


REFUSED = [
    "FROM read_parquet('{root}/../outside.parquet')",
    "FROM read_parquet('{root}/./../outside.parquet')",
    "FROM read_parquet('{root}/link.parquet')",
    "FROM read_parquet('{root}-other/x.parquet')",
    "FROM read_parquet('s3://other/dataset/x.parquet')",
    "FROM read_parquet('s3://bucket/elsewhere/x.parquet')",
    "FROM read_parquet('s3://bucket/dataset/../elsewhere/x.parquet')",
    "FROM read_parquet('http://127.0.0.1:9/x.parquet')",
    "FROM read_parquet('https://example.org/x.parquet')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_csv('/etc/passwd')",
    "FROM '/etc/passwd'",
    "FROM glob('/*')",
    "SELECT getenv('HOME')",
    "SET threads = 1",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET lock_configuration = false",
    "RESET allowed_directories",
    "LOAD spatial",
    "INSTALL spatial",
    "COPY (SELECT 1) TO '{root}/../written.csv'",
    "COPY (SELECT 1) TO '/tmp/written-by-the-engine.csv'",
    "ATTACH '{root}/../database.duckdb'",
    "EXPORT DATABASE '{root}/../exported'",
    "CREATE PERSISTENT SECRET kept (TYPE s3, KEY_ID 'k', SECRET 's')",
]


@pytest.mark.parametrize("kind", ["storage", "bucket"])
@pytest.mark.parametrize("sql", REFUSED)
def test_the_engine_refuses_what_is_not_its_storage(
    request: pytest.FixtureRequest, open_engine: OpenEngine, root: Path, kind: str, sql: str
) -> None:
    engine = open_engine(request.getfixturevalue(kind))
    with engine.database.cursor() as cursor, pytest.raises(duckdb.Error) as refusal:
        cursor.execute(sql.format(root=root)).fetchall()
    assert not isinstance(refusal.value, duckdb.HTTPException)
    assert not Path("/tmp/written-by-the-engine.csv").exists()


def test_secrets_of_the_storage_cannot_be_read_back(open_engine: OpenEngine, bucket: Storage) -> None:
    with open_engine(bucket).database.cursor() as cursor:
        shown = str(cursor.execute("FROM duckdb_secrets()").fetchall())
    assert KEY in shown
    assert SECRET not in shown


def test_a_link_that_leads_out_is_no_dataset(open_engine: OpenEngine, storage: Storage) -> None:
    engine = open_engine(storage)
    assert rows(engine, dataset(storage, engine, "inside")) == [{"n": 1}, {"n": 2}, {"n": 3}]
    with pytest.raises(DownloadError, match="There is no dataset 'link'"):
        dataset(storage, engine, "link")


def test_a_root_that_is_a_link_is_read_through_it(open_engine: OpenEngine, root: Path) -> None:
    (root.parent / "current").symlink_to(root)
    storage = open_storage(str(root.parent / "current"), "")
    engine = open_engine(storage)
    assert len(rows(engine, dataset(storage, engine, "inside"))) == 3


@pytest.mark.parametrize("name", ["p[1].parquet", "q*.parquet", "r?.parquet", "it's.parquet"])
def test_a_key_is_a_name_and_no_pattern(
    open_engine: OpenEngine, root: Path, storage: Storage, name: str
) -> None:
    for key in (name, "p1.parquet", "qq.parquet", "rr.parquet"):
        (root / "parts").mkdir(exist_ok=True)
        pq.write_table(pa.table({"key": [key]}), root / "parts" / key)
    keys = [meta.path.removeprefix("parts/") for meta in storage.list("parts/")]
    engine = open_engine(storage)
    assert [row["key"] for row in rows(engine, dataset(storage, engine, "parts"))] == keys


def test_what_the_database_is_set_to_holds_for_every_cursor(
    open_engine: OpenEngine, bucket: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        with open_engine(bucket).database.cursor() as cursor:
            set_to = dict(cursor.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert set_to["TimeZone"] == "UTC"
    assert set_to["s3_url_compatibility_mode"] == "true"
    assert set_to["enable_geoparquet_conversion"] == "false"
    assert set_to["enable_external_file_cache"] == "false"
    # It would serve replaced objects as the old ones.
    assert set_to["enable_http_metadata_cache"] == "false"


@pytest.mark.parametrize("kind", ["storage", "bucket"])
def test_an_engine_needs_no_home_and_no_download(
    request: pytest.FixtureRequest, root: Path, tmp_path: Path, kind: str
) -> None:
    storage = request.getfixturevalue(kind)
    location = f"'{root}', ''" if kind == "storage" else "'bucket', 'dataset'"
    code = (
        "from pathlib import Path\n"
        "from application.engine.database import Database\n"
        "from application.storage import open_storage\n"
        f"database = Database(open_storage({location}), memory_limit='512MB', threads=1,"
        " temp_directory=None, temp_limit='1GB')\n"
        "with database.cursor() as cursor:\n"
        "    cursor.execute('SELECT 1').fetchall()\n"
        "database.close()\n"
    )
    assert storage.description
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "http_proxy": "http://127.0.0.1:9"}
    for home in ({}, {"HOME": str(tmp_path / "none")}):
        finished = subprocess.run(
            [sys.executable, "-c", code],
            env=environment | home,
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (finished.returncode, finished.stderr) == (0, "")
    assert not (tmp_path / "none").exists()


def test_a_spoiled_database_is_replaced(open_engine: OpenEngine, storage: Storage) -> None:
    engine = open_engine(storage)
    found = dataset(storage, engine, "inside")
    with engine.database.cursor() as cursor:
        cursor.execute("CREATE TABLE spoiled (n INTEGER)")
    with pytest.raises(EngineFailed), engine.database.cursor():
        raise duckdb.InternalException("INTERNAL Error: as an unusual file can raise one")
    with engine.database.cursor() as cursor:
        assert cursor.execute("FROM duckdb_tables()").fetchall() == []
    assert engine.replacements == 1
    assert len(rows(engine, found)) == 3


def test_a_query_for_one_thread_has_a_database_without_others(
    open_engine: OpenEngine, storage: Storage
) -> None:
    """A caller that waits for the engine's own threads asks again and again, which takes a core."""
    engine = open_engine(storage)
    found = dataset(storage, engine, "inside")

    def threads(**how: bool) -> int:
        with engine.database.cursor(**how) as cursor:
            return int(cursor.execute("SELECT current_setting('threads')").fetchall()[0][0])

    assert (threads(), threads(alone=True)) == (2, 1)
    with engine.database.cursor(alone=True) as cursor:
        cursor.execute("CREATE TABLE spoiled (n INTEGER)")
    with pytest.raises(EngineFailed), engine.database.cursor(alone=True):
        raise duckdb.InternalException("INTERNAL Error: as an unusual file can raise one")
    assert engine.replacements == 1
    with engine.database.cursor(alone=True) as cursor:
        assert cursor.execute("FROM duckdb_tables()").fetchall() == []
        for name in ("enable_external_access", "lock_configuration"):
            cursor.execute("SELECT current_setting($1)", [name])
            assert cursor.fetchall() == [(name == "lock_configuration",)]
    assert len(rows(engine, found)) == 3


def test_what_runs_on_a_spoiled_database_may_go_on(open_engine: OpenEngine, storage: Storage) -> None:
    engine = open_engine(storage)
    with engine.database.cursor() as running:
        with pytest.raises(EngineFailed), engine.database.cursor():
            raise duckdb.FatalException("FATAL Error: database has been invalidated")
        assert running.execute("SELECT 1").fetchall() == [(1,)]
    engine.check()


def test_a_database_that_gives_no_cursor_is_replaced(
    open_engine: OpenEngine, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = duckdb.connect

    def connect_and_close(*arguments: Any, **options: Any) -> Any:
        closed = connect(*arguments, **options)
        closed.close()
        return closed

    engine = open_engine(storage)
    with monkeypatch.context() as patched:
        patched.setattr(duckdb, "connect", connect_and_close)
        with pytest.raises(EngineFailed):
            engine.check()
    engine.check()


def test_renewed_credentials_reach_the_engine(
    open_engine: OpenEngine, bucket: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(bucket)
    engine.check()
    renewed = S3Secret("AKIARENEWED00002", "s", "t", "eu-west-2", "127.0.0.1:9", False, "path", None)
    given = replace(bucket.engine_access(), secret=renewed)
    monkeypatch.setattr(bucket, "engine_access", lambda: given)
    with engine.database.cursor() as cursor:
        assert "AKIARENEWED00002" in str(cursor.execute("FROM duckdb_secrets()").fetchall())


@contextmanager
def set_inside(event: threading.Event) -> Iterator[None]:
    """Tell others that this is reached."""
    event.set()
    yield


def test_cancelling_interrupts_a_query_within_a_second(open_engine: OpenEngine, storage: Storage) -> None:
    engine, cancellation = open_engine(storage), Cancellation()
    ended: list[float] = []
    running = threading.Event()

    def run() -> None:
        with (
            pytest.raises(EngineFailed),
            engine.database.cursor() as cursor,
            cancellation.attached(cursor),
            set_inside(running),
        ):
            cursor.execute(
                "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"
            ).fetchall()
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    assert running.wait(10)
    cancelled = time.monotonic()
    cancellation.set()
    thread.join(10)
    assert ended[0] - cancelled < 1
    engine.check()


def test_a_download_cancelled_before_it_runs_runs_no_query(open_engine: OpenEngine, storage: Storage) -> None:
    engine, cancellation = open_engine(storage), Cancellation()
    found = dataset(storage, engine, "inside")
    cancellation.set()
    with pytest.raises(ProductionCancelled):
        next(engine.batches(found, Query(found.columns), cancellation))


def test_a_closed_engine_opens_again(open_engine: OpenEngine, storage: Storage) -> None:
    engine = open_engine(storage)
    found = dataset(storage, engine, "inside")
    engine.close()
    engine.close()
    assert len(rows(engine, found)) == 3


def test_rows_that_did_not_come_out_are_a_failure(open_engine: OpenEngine, storage: Storage) -> None:
    engine = open_engine(storage)
    found = replace(dataset(storage, engine, "inside"), rows=4)
    with pytest.raises(DatasetInvalid, match="4 rows by its footers; 3 came out"):
        rows(engine, found)


def test_what_the_engine_has_no_memory_for_is_too_large_alone_and_busy_beside_others(
    open_engine: OpenEngine, root: Path, storage: Storage
) -> None:
    engine = open_engine(storage)
    # One page of 600 MB, where the engine may have 512.
    pq.write_table(
        pa.table({"t": ["x" * 600_000] * 1000}),
        root / "page.parquet",
        use_dictionary=False,
        compression="zstd",
    )
    page, inside = dataset(storage, engine, "page"), dataset(storage, engine, "inside")
    with pytest.raises(ResultTooLarge):
        rows(engine, page)
    with closing(engine.batches(inside, Query(inside.columns), Cancellation())) as other:
        next(other)
        with pytest.raises(Busy):
            rows(engine, page)


def test_thousands_of_columns_are_read_by_windows_as_at_once(
    open_engine: OpenEngine, root: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 10_000
    nested = [{"a": n, "b": [str(n)] * (n % 3)} if n % 7 else None for n in range(count)]
    table = pa.table(
        {"n": range(count), "t": [f"t{n % 100}" for n in range(count)], "s": nested, "B": [1.5] * count}
    )
    for part in range(2):
        (root / "wide").mkdir(exist_ok=True)
        pq.write_table(table.slice(5000 * part, 5000), root / f"wide/{part}.parquet", row_group_size=3000)
    engine = open_engine(storage)
    found = dataset(storage, engine, "wide")
    kept = Filter(found.columns[1], "exact", ("t5",))
    queries = [Query(found.columns), Query(found.columns[::-1], (kept,)), Query(found.columns[2:3])]
    at_once = [list(engine.batches(found, query, Cancellation())) for query in queries]
    monkeypatch.setattr("application.engine.windows.MOST_LEAVES", 1)
    monkeypatch.setattr("application.engine.reads.WINDOW_BYTES", 1)
    for query, expected in zip(queries, at_once, strict=True):
        batches = list(engine.batches(found, query, Cancellation()))
        assert pa.Table.from_batches(batches).equals(pa.Table.from_batches(expected))
        assert max(batch.num_rows for batch in batches) <= 2048
    assert pa.Table.from_batches(at_once[0]).column("n").to_pylist() == list(range(count))


def test_batches_are_cut_by_what_their_rows_take_without_dictionaries(
    root: Path, storage: Storage, open_engine: OpenEngine
) -> None:
    size, count = 20_000, 3_000
    values = pa.array([letter * size for letter in "abc"])
    column = pa.DictionaryArray.from_arrays(pa.array([row % 3 for row in range(count)], pa.int8()), values)
    pq.write_table(pa.table({"d": column}), root / "packed.parquet")
    engine = open_engine(storage)
    found = dataset(storage, engine, "packed")
    batches = list(engine.batches(found, Query(found.columns), Cancellation()))
    assert sum(batch.num_rows for batch in batches) == count
    assert {batch.schema.field("d").type for batch in batches} == {column.type}
    assert max(batch.num_rows for batch in batches) * size <= BATCH_BYTES
