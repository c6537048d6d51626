"""What a plan's ETag depends on, and how large its result may be."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from application.downloads.plan import Plan, Request, make_plan
from application.formats import FORMATS
from application.formats.base import release
from application.models import Column, Dataset, Geometry, ObjectMeta

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
CODINGS = ("identity", "gzip", "zstd")
Made = set[tuple[str, str]]

ALL = {
    (name, coding) for name, row in FORMATS.items() for coding in (CODINGS if row.codable else ("identity",))
}
FEATURES = {made for made in ALL if made[0] in ("geojson", "geojsonl", "fgb", "gpkg")}
LAYERS = {made for made in FEATURES if made[0] in ("fgb", "gpkg")}
TEXT = {made for made in ALL if made[0] in ("csv", "tsv", "json", "ndjson")} | FEATURES
WORKBOOKS = {made for made in ALL if made[0] == "xlsx"}
# What an upgrade of each may change the bytes of.
WRITTEN_BY: dict[str, Made] = {
    "duckdb": ALL,
    "pyarrow": ALL,
    "polars": TEXT | WORKBOOKS,
    "orjson": TEXT | WORKBOOKS,
    "shapely": FEATURES | {("geoparquet", "identity")},
    "duckdb-extension-spatial": LAYERS,
    "pyproj": set(),
    "convertbng": set(),
    "isal": {made for made in ALL if made[1] == "gzip"} | WORKBOOKS,
    "zstandard": {made for made in ALL if made[1] == "zstd"},
    "download-lambda": set(),
    "fastapi": set(),
}


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install another version of a distribution, as far as its metadata says."""

    def install(distribution: str) -> None:
        folder = tmp_path / f"{distribution.replace('-', '_')}-99.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 99.0\n")
        monkeypatch.syspath_prepend(tmp_path)
        release.cache_clear()

    yield install
    release.cache_clear()


def dataset(rows: int = 10, row_bytes: int = 100) -> Dataset:
    fields = (pa.field("n", pa.int64()), pa.field("t", pa.string()))
    columns = tuple(
        Column(field.name, field.name, kind, field)
        for field, kind in zip(fields, ("BIGINT", "VARCHAR"), strict=True)
    )
    part = ObjectMeta("trees.parquet", 500, NOW, "tag", "tag")
    geometry = Geometry("t", "wkt", "EPSG:4326")
    return Dataset(
        "trees", (part,), columns, {}, rows, row_bytes, "version", NOW, is_folder=False, geometry=geometry
    )


def planned(extension: str, coding: str = "identity", *, filtered: bool = True) -> Plan:
    parameters = (("n", "1"),) if filtered else ()
    return make_plan(Request("trees", extension, parameters, coding), dataset(), FORMATS[extension], NOW)


def e_tags() -> dict[tuple[str, str], str]:
    return {made: planned(*made).e_tag for made in ALL}


def test_each_format_and_coding_has_an_e_tag_of_its_own() -> None:
    assert len(set(e_tags().values())) == len(ALL)


@pytest.mark.parametrize("distribution", WRITTEN_BY)
def test_an_upgrade_changes_the_e_tags_of_what_it_writes_and_no_other(
    distribution: str, upgrade: Callable[[str], None]
) -> None:
    before = e_tags()
    upgrade(distribution)
    after = e_tags()
    assert {made for made in ALL if before[made] != after[made]} == WRITTEN_BY[distribution]


@pytest.mark.parametrize("distribution", WRITTEN_BY)
def test_no_upgrade_changes_the_e_tag_of_a_stored_object(
    distribution: str, upgrade: Callable[[str], None]
) -> None:
    before = planned("parquet", filtered=False)
    upgrade(distribution)
    assert before.is_native
    assert planned("parquet", filtered=False).e_tag == before.e_tag


def test_a_raised_revision_changes_the_e_tag() -> None:
    row = FORMATS["csv"]
    raised = replace(row, revision=row.revision + 1)
    plans = [make_plan(Request("trees", "csv"), dataset(), chosen, NOW) for chosen in (row, raised)]
    assert plans[0].e_tag != plans[1].e_tag


@pytest.mark.parametrize("extension", FORMATS)
def test_how_large_a_result_may_be_is_told_by_its_format(extension: str) -> None:
    plan = planned(extension)
    most = 10 * 100 * FORMATS[extension].growth
    assert plan.may_exceed(most - 1)
    assert not plan.may_exceed(most)
    assert not plan.may_exceed(None)
