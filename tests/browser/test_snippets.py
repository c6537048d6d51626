"""What a page gives to paste, pasted: each tool has as many rows as the page says."""

import csv
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest

from tests.support import html
from tests.support.readers import httpfs
from tests.support.serving import Served, eventually

pytestmark = pytest.mark.browser

QUERIES = [
    "/sample",
    "/sample?organisation-entity=1&name__notnull=true",
    "/sample?name__in=%22Place%201%22,Place%202&field=name",
    "/sample?entity=-1",
    "/hostile",
]
ON_A_MAP = [
    "/areas",
    "/areas?name=Caf%C3%A9%20%26%20%3Cb%3E,%20%27quoted%27",
    "/areas?bbox=10,40,20,60&field=name&field=geometry",
    "/areas?entity__gte=50&sort=-entity&limit=7",
    "/areas?entity=-1",
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
    if program is None and "CI" not in os.environ:
        pytest.skip("R is not installed: it is in r-base-core")
    assert program
    done = subprocess.run([program, "-e", f"{code}; cat(nrow(data))"], capture_output=True, check=True)
    return int(done.stdout)


def in_spreadsheet(code: str, _: Path) -> int:
    return rows_of(httpx2.get(code).text)


def in_qgis(code: str, _: Path) -> int:
    # QGIS hands an address to GDAL so, and counts the features of the layer that it finds.
    check_gdal()
    command = ["ogrinfo", "-ro", "-al", "-so", f"/vsicurl/{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (counted,) = re.findall(r"^Feature Count: (\d+)$", done.stdout, re.MULTILINE)
    return int(counted)


def in_gdal(code: str, folder: Path) -> int:
    check_gdal()
    shell(code, folder)
    (saved,) = folder.iterdir()
    with closing(sqlite3.connect(saved)) as package:
        ((layer,),) = package.execute("SELECT table_name FROM gpkg_contents").fetchall()
        return int(package.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0])


def check_gdal() -> None:
    if shutil.which("ogr2ogr") is None and "CI" not in os.environ:
        pytest.skip("GDAL's programs are not installed: they are in gdal-bin")


TOOLS = {
    "curl": in_file,
    "download-lambda": in_file,
    "pandas": in_python,
    "polars": in_python,
    "duckdb": in_duckdb,
    "r": in_r,
    "excel": in_spreadsheet,
    "qgis": in_qgis,
    "gdal": in_gdal,
}
OF_MAPS = ("qgis", "gdal")


def told(served: Served, path: str) -> tuple[int, dict[str, str]]:
    """The rows that a page says once it knows them, and its snippets by tool."""
    texts: list[str] = []

    def is_known() -> bool:
        texts.append(served.get(path, headers={"accept": "text/html"}).text)
        return "data-pending" not in texts[-1]

    assert eventually(is_known)
    found = html.read(texts[-1])
    number = re.search(r"[\d,]+", found.one(id="sentence").words)
    assert number
    codes = {
        item.attributes["data-tool"]: item.text
        for item in found.all("code")
        if "data-tool" in item.attributes
    }
    return int(number[0].replace(",", "")), codes


@pytest.mark.parametrize(
    ("path", "tool"),
    [
        *((path, tool) for path in QUERIES for tool in TOOLS if tool not in OF_MAPS),
        *((path, tool) for path in ON_A_MAP for tool in OF_MAPS),
    ],
)
def test_a_tool_has_the_rows_that_the_page_says(tool: str, path: str, served: Served, tmp_path: Path) -> None:
    rows, codes = told(served, path)
    assert TOOLS[tool](codes[tool], tmp_path) == rows


def test_every_snippet_is_tried(served: Served) -> None:
    for path in QUERIES:
        assert told(served, path)[1].keys() == TOOLS.keys() - OF_MAPS
    for path in ON_A_MAP:
        assert told(served, path)[1].keys() == TOOLS.keys()


def test_a_file_is_checked_as_the_page_says(served: Served, tmp_path: Path) -> None:
    found = html.read(served.get("/sample?organisation-entity=1", headers={"accept": "text/html"}).text)
    shell(found.one("code", data_tool="curl").text, tmp_path)
    shell(found.one("code", id="code-verify").text, tmp_path)
