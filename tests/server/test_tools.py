"""Readers and download programs take a result by its URL on the first try, before anybody has fetched it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support import tables
from tests.support.gate import Gate
from tests.support.proxy import proxying
from tests.support.serving import Served, serving_folder
from tests.support.tools import FEW_ROWS, TOOLS

GROUPS = 11
NUMBERS = count(1)
KEPT_BYTES = 10_000_000

PARTS = [name for name, tool in TOOLS.items() if tool.part]
RESUMES = [name for name, tool in TOOLS.items() if tool.resume]


@dataclass(frozen=True, slots=True)
class Place:
    """A server, the rows of its dataset, and a query's csv as another server made it."""

    served: Served
    rows: pa.Table
    csv: bytes


@pytest.fixture(autouse=True, scope="module")
def _no_proxy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("datasets")
    rows = tables.large(GROUPS)
    tables.write(rows.append_column("spare", [[0] * rows.num_rows]), root / "large.parquet")
    with serving_folder(root) as other:
        csv = other.get(fresh("csv")).content
    assert len(csv) > 19_000_000
    with serving_folder(root) as served:
        yield Place(served, rows, csv)


def fresh(extension: str) -> str:
    """A query that nobody has asked before, and that all rows match."""
    return f"/large.{extension}?spare=0&spare={next(NUMBERS)}&field=entity&field=text"


def plain(table: pa.Table) -> pa.Table:
    """The same without metadata, in one chunk, and with one type of text."""
    types = {"entity": pa.int64(), "text": pa.string()}
    return table.cast(pa.schema([(name, types[name]) for name in table.column_names])).combine_chunks()


def reach(place: Place, name: str, way: str) -> str:
    """A path that nobody has fetched, or only once where the tool needs that."""
    TOOLS[name].check()
    path = fresh(TOOLS[name].extension)
    if way in TOOLS[name].after_a_fetch:
        place.served.get(path)
    return path


def is_made_once(gate: Gate) -> bool:
    """True where no result was begun twice; one that is coded otherwise is another."""
    return bool(gate.came) and len(set(gate.came)) == len(gate.came)


@pytest.mark.parametrize("name", TOOLS)
def test_the_whole_is_taken(name: str, place: Place, tmp_path: Path, gate: Gate) -> None:
    url = place.served.url + reach(place, name, "whole")
    assert plain(TOOLS[name].whole(url, tmp_path)).equals(place.rows)
    assert is_made_once(gate)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_taken_without_the_rest(name: str, place: Place, tmp_path: Path, gate: Gate) -> None:
    path, take = reach(place, name, "part"), TOOLS[name].part
    assert take
    with proxying(place.served.url) as proxy:
        found = plain(take(proxy.url + path, tmp_path))
    expected = place.rows if found.num_rows > FEW_ROWS else place.rows.slice(0, FEW_ROWS)
    assert found.equals(plain(expected.select(found.column_names)))
    size = int(place.served.client.head(path).headers["content-length"])
    # Some read megabytes ahead, as far as they get before they are done.
    assert proxy.received < size * 3 / 4
    assert is_made_once(gate)


@pytest.mark.parametrize("name", RESUMES)
def test_the_rest_is_taken_where_some_is_there(name: str, place: Place, tmp_path: Path, gate: Gate) -> None:
    path, take = reach(place, name, "resume"), TOOLS[name].resume
    assert take
    (tmp_path / "result").write_bytes(place.csv[:KEPT_BYTES])
    with proxying(place.served.url) as proxy:
        take(proxy.url + path, tmp_path)
    assert (tmp_path / "result").read_bytes() == place.csv
    assert proxy.received < len(place.csv) - KEPT_BYTES / 2
    assert is_made_once(gate)


def test_gdal_reads_no_csv_that_was_not_fetched(place: Place, tmp_path: Path) -> None:
    tool = TOOLS["GDAL CSV:/vsicurl/"]
    tool.check()
    with pytest.raises(Exception, match="No such file"):
        tool.whole(place.served.url + fresh("csv"), tmp_path)
