"""What a page gives to paste, pasted: each tool has as many rows as the page says."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest

from tests.support import html
from tests.support.readers import httpfs
from tests.support.serving import Served

pytestmark = pytest.mark.browser

QUERIES = [
    "/sample",
    "/sample?organisation-entity=1&name__notnull=true",
    "/sample?name__in=%22Place%201%22,Place%202&field=name",
    "/sample?entity=-1",
    "/hostile",
]


def shell(code: str, folder: Path) -> None:
    # The command as it is installed.
    code = re.sub(r"^download-lambda\b", f"'{sys.executable}' -m application", code)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["/bin/sh", "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def rows_of(text: str) -> int:
    return sum(1 for _ in csv.reader(text.splitlines(keepends=True))) - 1


def in_file(code: str, folder: Path) -> int:
    shell(code, folder)
    (saved,) = folder.iterdir()
    return rows_of(saved.read_text())


def in_python(code: str, _: Path) -> int:
    names: dict[str, Any] = {}
    exec(code, names)
    return len(names["data"])


def in_duckdb(code: str, _: Path) -> int:
    with duckdb.connect() as database:
        database.execute(f"LOAD '{httpfs()}'")
        return len(database.execute(code).fetchall())


def in_r(code: str, folder: Path) -> int:
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("R is not here")
    done = subprocess.run([program, "-e", f"{code}; cat(nrow(data))"], capture_output=True, check=True)
    return int(done.stdout)


def in_spreadsheet(code: str, _: Path) -> int:
    return rows_of(httpx2.get(code).text)


TOOLS = {
    "curl": in_file,
    "download-lambda": in_file,
    "pandas": in_python,
    "polars": in_python,
    "duckdb": in_duckdb,
    "r": in_r,
    "excel": in_spreadsheet,
}


def told(served: Served, path: str) -> tuple[int, dict[str, str]]:
    """The rows that a page says, and its snippets by tool."""
    found = html.read(served.get(path, headers={"accept": "text/html"}).text)
    number = re.search(r"[\d,]+", found.one(id="sentence").words)
    assert number
    codes = {
        item.attributes["data-tool"]: item.text
        for item in found.all("code")
        if "data-tool" in item.attributes
    }
    return int(number[0].replace(",", "")), codes


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("path", QUERIES)
def test_a_tool_has_the_rows_that_the_page_says(tool: str, path: str, served: Served, tmp_path: Path) -> None:
    rows, codes = told(served, path)
    assert TOOLS[tool](codes[tool], tmp_path) == rows


def test_every_snippet_is_tried(served: Served) -> None:
    for path in QUERIES:
        assert told(served, path)[1].keys() <= TOOLS.keys()


def test_a_file_is_checked_as_the_page_says(served: Served, tmp_path: Path) -> None:
    found = html.read(served.get("/sample?organisation-entity=1", headers={"accept": "text/html"}).text)
    shell(found.one("code", data_tool="curl").text, tmp_path)
    shell(found.one("code", id="code-verify").text, tmp_path)
