"""The workbooks, read by R's readxl: each cell of the kind and the value that the standard gives it."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tests.formats.support import EVERY, picked, written
from tests.formats.test_xlsx import HOSTILE
from tests.support import workbooks

# A line for each cell: its class, and its number or the code points of its text.
SCRIPT = """
told <- function(cell) {
  value <- cell[[1]]
  told <- if (is.character(value)) utf8ToInt(enc2utf8(value)) else sprintf("%.17g", as.numeric(value))
  cat(class(cell)[1], told, "\n")
}
path <- commandArgs(TRUE)[1]
data <- readxl::read_excel(path, "Data", col_types = "list", na = character(), trim_ws = FALSE,
                           .name_repair = "minimal")
for (column in data) for (cell in column) told(cell)
"""
KINDS = {"text": "character", "number": "numeric", "truth": "logical"}
# It takes blank space alone for no value, and a text ends for it with a NUL.
NO_TEXT = {"  ", "\n", "\t", ""}
EPOCH, DAY_MS = 25_569, 86_400_000


@pytest.fixture(scope="module", autouse=True)
def has_readxl() -> None:
    """Skip where R or its package is not installed, but never in CI."""
    if "CI" in os.environ:
        return
    try:
        subprocess.run(["Rscript", "-e", "loadNamespace('readxl')"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("R's readxl is not installed: it is in r-cran-readxl")


def in_r(body: bytes, folder: Path) -> list[list[str]]:
    path, script = folder / "rows.xlsx", folder / "read.R"
    path.write_bytes(body)
    script.write_text(SCRIPT)
    command = ["Rscript", "--encoding=UTF-8", str(script), str(path)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    return [line.split() for line in done.stdout.splitlines()]


def compare(cells: list[workbooks.Cell], found: list[list[str]]) -> None:
    for (kind, value), (name, *told) in zip(cells, found, strict=True):
        text = value.partition("\0")[0] if kind == "text" else ""
        if kind == "none" or (kind == "text" and text in NO_TEXT):
            assert told == ["NA"]
        elif kind == "text":
            assert (name, "".join(map(chr, map(int, told)))) == ("character", text)
        elif kind in KINDS:
            assert name == KINDS[kind]
            assert float(told[0]) == float(value)
        else:
            assert name == "POSIXct"
            apart = round(float(told[0]) * 1000) - round((value - EPOCH) * DAY_MS)
            # It puts times of day on a day of its own.
            assert (apart % DAY_MS if value < 1 else apart) == 0


def test_every_type_comes_out_of_readxl(tmp_path: Path) -> None:
    body = written("xlsx", pa.table({name: picked(name, range(10)) for name in EVERY}))
    _, *rows = workbooks.sheet(body)
    compare([row[place] for place in range(len(EVERY)) for row in rows], in_r(body, tmp_path))


def test_hostile_text_comes_out_of_readxl(tmp_path: Path) -> None:
    body = written("xlsx", pa.table({"row": range(len(HOSTILE)), "text": HOSTILE}))
    cells = workbooks.columns(body)
    compare([*cells["row"], *cells["text"]], in_r(body, tmp_path))


def test_days_and_moments_are_those_of_the_data(tmp_path: Path) -> None:
    moments = [datetime(2024, 2, 29, 13, 45, 0, 123_000, UTC), datetime(1900, 3, 1, tzinfo=UTC)]
    body = written("xlsx", pa.table({"t": pa.array(moments, pa.timestamp("ms", "UTC"))}))
    told = [float(line[1]) for line in in_r(body, tmp_path)]
    assert [round(number, 3) for number in told] == [moment.timestamp() for moment in moments]
