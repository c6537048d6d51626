"""What is known of a production before it runs."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.downloads.job import LEAF_BYTES, DownloadJob
from application.downloads.plan import Request
from application.formats.workplace import INDEX_BYTES, MEMORY_BYTES
from application.production.productions import Productions
from application.service import Service, open_service
from application.settings import Settings

ROWS, GROUP = 10_000, 1_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    numbers = pa.array(range(ROWS), pa.int64())
    table = pa.table({"n": numbers, "long": [f"{n:0200}" for n in range(ROWS)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=GROUP)
    same = pa.array([1] * ROWS, pa.int64())
    pq.write_table(pa.table({"a": same, "b": same}), tmp_path / "same.parquet")
    made = open_service(Settings(dataset_bucket=tmp_path.as_uri(), dataset_prefix=""))
    yield made
    made.close()


def size(
    service: Service, monkeypatch: pytest.MonkeyPatch, *query: tuple[str, str], name: str = "rows"
) -> int:
    jobs: list[DownloadJob] = []
    monkeypatch.setattr(Productions, "join", lambda _, __, make, *___: jobs.append(make()))
    service.downloads.open(service.downloads.plan(Request(name, "csv", query)))
    return jobs[0].size()


def test_the_size_is_what_the_columns_take_in_row_groups_that_may_have_rows(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = size(service, monkeypatch)
    assert 200 * ROWS < whole < 250 * ROWS
    assert size(service, monkeypatch, ("n", "1234")) == whole * GROUP // ROWS
    assert size(service, monkeypatch, ("n__lt", "2000")) == 2 * whole * GROUP // ROWS
    assert size(service, monkeypatch, ("long__contains", "7")) == whole
    assert size(service, monkeypatch, ("exclude_field", "long")) < whole // 10


def test_the_size_is_what_a_limit_leaves_where_nothing_else_decides_which_rows(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = size(service, monkeypatch)
    assert size(service, monkeypatch, ("limit", "90"), ("offset", "10")) == whole * 100 // ROWS
    assert size(service, monkeypatch, ("limit", "90"), ("sort", "n")) == whole
    assert size(service, monkeypatch, ("limit", "90"), ("long__contains", "7")) == whole


def test_the_engine_s_own_memory_counts_where_it_makes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"n": [1], "geometry": ["POINT (1 2)"]}), tmp_path / "places.parquet")
    jobs: list[DownloadJob] = []
    monkeypatch.setattr(Productions, "join", lambda _, __, make, *___: jobs.append(make()))
    settings = Settings(dataset_bucket=tmp_path.as_uri(), dataset_prefix="", spool_dir=tmp_path)
    with closing(open_service(settings)) as service:
        for extension, order in (("geojson", ()), ("gpkg", ()), ("fgb", ()), ("fgb", (("sort", "n"),))):
            service.downloads.open(service.downloads.plan(Request("places", extension, order)))
    features, *layers = (job.memory for job in jobs)
    # An index is for what has no order of its own.
    more = (MEMORY_BYTES, MEMORY_BYTES + INDEX_BYTES, MEMORY_BYTES)
    assert [layer - features for layer in layers] == [*more]


def test_what_repeats_counts_for_its_values_all_the_same(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert size(service, monkeypatch, name="same") == 2 * LEAF_BYTES * ROWS
