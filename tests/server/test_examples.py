"""The examples of docs/api.md, run as they stand where their tool is there."""

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import duckdb
import polars
import pytest

from application import demo
from tests.support.serving import Served, serving_folder

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text().partition("## Examples")[2]
ASKED = "?organisation-entity=122&period=current&sort=-entry-date&limit=10"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("demo")
    demo.make_demo(folder)
    with serving_folder(folder, dataset_prefix="dataset") as found:
        yield found


@pytest.fixture(scope="module")
def expected(served: Served) -> list[str]:
    rows = list(csv.DictReader(io.StringIO(served.get(f"/conservation-area.csv{ASKED}").text)))
    assert len(rows) == 10
    return [row["reference"] for row in rows]


def example(language: str, word: str, served: Served) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found.replace("http://localhost:8000", served.url)


def test_curl(served: Served, expected: list[str], tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    subprocess.run(["bash", "-c", example("bash", "curl", served)], cwd=tmp_path, check=True, timeout=60)
    with (tmp_path / "areas.csv").open(newline="") as file:
        assert [row["reference"] for row in csv.DictReader(file)] == expected


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_of_python(library: str, served: Served, expected: list[str]) -> None:
    found: dict[str, polars.DataFrame] = {}
    exec(example("python", library, served), found)
    assert list(found["rows"]["reference"]) == expected


def test_duckdb(served: Served, expected: list[str]) -> None:
    spec = find_spec("duckdb_extension_httpfs")
    assert spec
    assert spec.origin
    extension = Path(spec.origin).parent / f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension"
    with duckdb.connect() as database:
        database.execute(f"LOAD '{extension}'")
        rows = database.execute(example("sql", "read_csv", served)).to_arrow_table()
    assert rows["reference"].to_pylist() == expected


def test_r(served: Served, expected: list[str], tmp_path: Path) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is not installed: it is in r-base-core")
    script = tmp_path / "example.R"
    script.write_text(example("r", "read.csv", served) + "cat(rows$reference, sep = '\\n')\n")
    done = subprocess.run(["Rscript", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == expected


def test_excel_asks_by_parameters_that_are_there(served: Served, expected: list[str]) -> None:
    # Nothing here runs Power Query: it sends these pairs.
    text = example("powerquery", "Web.Contents", served)
    (query,) = re.findall(r"Query = \[(.*?)\]", text)
    pairs = dict(re.findall(r'#?"?([\w-]+)"? = "([^"]*)"', query))
    (path,) = re.findall(r'RelativePath = "(.*?)"', text)
    response = served.get(f"/{path}", params=pairs)
    assert [row["reference"] for row in csv.DictReader(io.StringIO(response.text))] == expected
