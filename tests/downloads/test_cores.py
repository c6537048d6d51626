"""The bytes of a download are the same whatever the number of cores that make it."""

import csv
import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, closing
from hashlib import sha256
from io import StringIO
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.downloads.job import DownloadJob
from application.downloads.plan import Request
from application.engine import spans
from application.formats import FORMATS
from application.production.productions import Productions
from application.service import Service, open_service
from application.settings import Settings

CORES = (1, 2, 4)
ROWS = 6_000
QUERIES = (
    (),
    (("limit", "4123"), ("offset", "1345")),
    (("kind__in", ",".join(f"k{n}" for n in range(60))),),
    (("kind", "k7"), ("exclude_field", "text")),
    (("sort", "kind"), ("sort", "-n"), ("exclude_field", "moment")),
    (("exclude_field", "moment"), ("exclude_field", "text")),
)


def table(first: int, rows: int) -> pa.Table:
    numbers = range(first, first + rows)
    noon = [n * 1001 % (86_400 * 10**9) if n % 5 else None for n in numbers]
    return pa.table(
        {
            "n": pa.array(numbers, pa.int64()),
            "text": [f'"{n}",\n é' * (n % 4) if n % 11 else None for n in numbers],
            "kind": [f"k{n * 7919 % 101}" for n in numbers],
            "day": pa.array([dt.date(2020, 1, 1) + dt.timedelta(n % 900) for n in numbers]),
            "share": pa.array([n / 8 for n in numbers]),
            "geometry": [f"POINT ({n % 180} {n % 90})" for n in numbers],
            "moment": pa.array(noon, pa.time64("ns")),
        }
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    pq.write_table(table(0, ROWS), root / "one.parquet", row_group_size=1_500)
    pq.write_table(table(0, ROWS).drop("moment"), root / "group.parquet")
    for year in (2023, 2024):
        (root / f"parts/year={year}").mkdir(parents=True)
        for part in range(4):
            first = (year - 2023) * 2_000 + part * 500
            rows = table(first, 500).drop("moment")
            pq.write_table(rows, root / f"parts/year={year}/{part}.parquet", row_group_size=200)
    return root


@pytest.fixture(scope="module")
def services(root: Path) -> Iterator[dict[int, Service]]:
    with ExitStack() as opened:
        made = {}
        for cores in CORES:
            made[cores] = open_service(
                Settings(dataset_bucket=root.as_uri(), dataset_prefix="", duckdb_threads=cores)
            )
            opened.callback(made[cores].close)
        yield made


@pytest.fixture(autouse=True)
def _small_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is of many megabytes otherwise is of some kilobytes here."""
    monkeypatch.setattr(spans, "SPAN_BYTES", 1)
    monkeypatch.setattr(spans, "RUN_BYTES", 100_000)


def made(service: Service, name: str, extension: str, query: tuple[tuple[str, str], ...]) -> bytes:
    plan = service.downloads.plan(Request(name, extension, query))
    with service.downloads.open(plan) as content:
        return b"".join(iter(lambda: content.read_blocking(1 << 20), b""))


@pytest.mark.parametrize(
    ("name", "extension"),
    [*product(["one"], FORMATS), *product(["group", "parts"], ["csv", "json", "parquet"])],
)
def test_bytes_do_not_depend_on_the_number_of_cores(
    services: dict[int, Service], name: str, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "group":
        monkeypatch.setattr(spans, "LARGE_BYTES", 1)
    for query in QUERIES:
        fitting = tuple(given for given in query if name == "one" or given[1] != "moment")
        # The whole as Parquet would be the stored object.
        fitting = fitting or ((("exclude_field", "day"),) if extension == "parquet" else ())
        found = {sha256(made(service, name, extension, fitting)).hexdigest() for service in services.values()}
        assert len(found) == 1, (name, extension, query)


@pytest.mark.parametrize("name", ["one", "group"])
def test_rows_come_in_the_order_of_the_file(
    services: dict[int, Service], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "LARGE_BYTES", 1 if name == "group" else 1 << 30)
    text = made(services[4], name, "csv", (("field", "n"), ("field", "text"), ("offset", "2500"))).decode()
    rows = list(csv.reader(StringIO(text, newline="")))[1:]
    expected = table(2_500, ROWS - 2_500).select(["n", "text"]).to_pylist()
    assert rows == [[str(row["n"]), row["text"] or ""] for row in expected]


@pytest.mark.parametrize(("memory", "cursors"), [(1024, [1, 1, 2]), (64, [1, 1, 1])])
def test_what_more_cursors_need_counts_as_memory_and_they_are_fewer_where_it_does_not_fit(
    root: Path, monkeypatch: pytest.MonkeyPatch, memory: int, cursors: list[int]
) -> None:
    # As if a row had 16 KB: 62 MiB a span.
    monkeypatch.setattr(spans, "_row_bytes", lambda *_: 43 << 10)
    jobs: list[DownloadJob] = []
    monkeypatch.setattr(Productions, "join", lambda _, __, make, *___: jobs.append(make()))
    for cores in CORES:
        settings = Settings(
            dataset_bucket=root.as_uri(),
            dataset_prefix="",
            duckdb_threads=cores,
            production_memory=memory << 20,
        )
        with closing(open_service(settings)) as service:
            plan = service.downloads.plan(Request("one", "csv", (("exclude_field", "moment"),)))
            service.downloads.open(plan)
    assert [job.cursors for job in jobs] == cursors
    assert all(job.memory >= (job.cursors - 1) * 61 << 20 for job in jobs)
    assert all(job.memory <= memory << 20 for job in jobs)
