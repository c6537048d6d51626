"""How well-known readers and download programs take a result by its URL: all, some, or the rest of it.

Each takes a URL and a folder of its own; a reader gives a table of what it read, a program a file.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.support.readers import by_pandas, by_pyarrow, httpfs

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60
# What a part is: the column `entity`, or as many rows from the start.
FEW_ROWS = 5

Take = Callable[[str, Path], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Which ways a reader or program has, and which of them only once somebody has fetched the result.

    ``needs`` is a program or module that may be absent, and what brings it.
    """

    extension: str
    whole: Take
    part: Take | None = None
    resume: Take | None = None
    needs: tuple[str, str] | None = None
    after_a_fetch: tuple[str, ...] = ()

    def check(self) -> None:
        """Skip the test where it is not installed, but never in CI."""
        if self.needs is None or "CI" in os.environ:
            return
        name, package = self.needs
        if shutil.which(name) is None and find_spec(name) is None:
            pytest.skip(f"{name} is not installed: it is in {package}")


def program(*words: str) -> Take:
    """Run a command that writes the file `result` into its folder; `URL` stands for the address."""

    def take(url: str, folder: Path) -> pa.Table:
        import pyarrow.csv

        command = [url if word == "URL" else word for word in words]
        finished = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert {path.name for path in folder.iterdir()} == {"result"}
        return pyarrow.csv.read_csv(folder / "result")

    return take


def duck(words: str) -> Take:
    """Ask DuckDB with its httpfs, from its wheel; `URL` stands for the address."""

    def take(url: str, _: Path) -> pa.Table:
        with duckdb.connect() as database:
            database.execute(f"LOAD '{httpfs()}'")
            return database.execute(words.replace("URL", f"'{url}'")).to_arrow_table()

    return take


def in_polars(function: str, **options: object) -> Take:
    def take(url: str, _: Path) -> pa.Table:
        import polars as pl

        found = getattr(pl, function)(url, **options)
        return found.lazy().collect().to_arrow()

    return take


def column_in_polars(function: str) -> Take:
    def take(url: str, _: Path) -> pa.Table:
        import polars as pl

        return getattr(pl, function)(url).select("entity").collect().to_arrow()

    return take


def in_pandas(function: str) -> Take:
    def take(url: str, _: Path) -> pa.Table:
        import pandas as pd

        return pa.Table.from_pandas(getattr(pd, function)(url), preserve_index=False)

    return take


def csv_over_fsspec(url: str, _: Path) -> pa.Table:
    import fsspec
    import pyarrow.csv

    with fsspec.filesystem("http", skip_instance_cache=True).open(url) as file:
        return pyarrow.csv.read_csv(file)


def stream_over_urllib(url: str, _: Path) -> pa.Table:
    import urllib.request

    import pyarrow.ipc

    with urllib.request.urlopen(url) as answer:
        return pyarrow.ipc.open_stream(answer).read_all()


def in_gdal(url: str, _: Path) -> pa.Table:
    import pyogrio

    _, table = pyogrio.read_arrow(f"CSV:/vsicurl/{url}")
    # Without types of its own, all is text.
    return table.set_column(0, "entity", table["entity"].cast(pa.int64()))


CURL = ("curl", "--silent", "--show-error", "--fail", "--continue-at", "-", "--output", "result", "URL")
WGET = ("wget", "--quiet", "--continue", "--output-document", "result", "URL")
ARIA = ("aria2c", "--quiet", "-x4", "--min-split-size=1M", "--continue", "--out", "result", "URL")
FETCH = (sys.executable, "-m", "application", "fetch", "--output", "result", "URL")
COLUMNS = ["entity", "text"]

TOOLS: dict[str, Tool] = {
    "curl -C -": Tool(
        extension="csv", whole=program(*CURL), resume=program(*CURL), needs=("curl", "Debian's curl")
    ),
    "wget -c": Tool(
        extension="csv", whole=program(*WGET), resume=program(*WGET), needs=("wget", "Debian's wget")
    ),
    "aria2c -x4": Tool(
        extension="csv",
        whole=program(*ARIA),
        resume=program(*ARIA),
        needs=("aria2c", "Debian's aria2"),
        after_a_fetch=("resume",),
    ),
    "polars.read_csv": Tool(extension="csv", whole=in_polars("read_csv")),
    "polars.scan_csv": Tool(
        extension="csv", whole=in_polars("scan_csv"), part=in_polars("scan_csv", n_rows=FEW_ROWS)
    ),
    "polars.read_ndjson": Tool(extension="ndjson", whole=in_polars("read_ndjson")),
    "polars.scan_ndjson": Tool(extension="ndjson", whole=in_polars("scan_ndjson")),
    "polars.read_parquet": Tool(
        extension="parquet",
        whole=in_polars("read_parquet"),
        part=in_polars("read_parquet", columns=["entity"]),
    ),
    "polars.scan_parquet": Tool(
        extension="parquet", whole=in_polars("scan_parquet"), part=column_in_polars("scan_parquet")
    ),
    "DuckDB read_csv": Tool(extension="csv", whole=duck("FROM read_csv(URL)")),
    "DuckDB read_json": Tool(extension="ndjson", whole=duck("FROM read_json(URL)")),
    "DuckDB read_parquet": Tool(
        extension="parquet",
        whole=duck("FROM read_parquet(URL)"),
        part=duck("SELECT entity FROM read_parquet(URL)"),
    ),
    "pandas.read_csv": Tool(extension="csv", whole=in_pandas("read_csv")),
    "pandas.read_parquet": Tool(extension="parquet", whole=in_pandas("read_parquet")),
    "pandas.read_parquet over fsspec": Tool(
        extension="parquet",
        whole=lambda url, _: by_pandas(url, COLUMNS),
        part=lambda url, _: by_pandas(url, ["entity"]),
    ),
    "pyarrow.csv over fsspec": Tool(extension="csv", whole=csv_over_fsspec),
    "pyarrow.parquet over fsspec": Tool(
        extension="parquet",
        whole=lambda url, _: by_pyarrow(url, COLUMNS),
        part=lambda url, _: by_pyarrow(url, ["entity"]),
    ),
    "pyarrow.ipc over urllib": Tool(extension="arrow", whole=stream_over_urllib),
    "GDAL CSV:/vsicurl/": Tool(
        extension="csv", whole=in_gdal, needs=("pyogrio", "the extra `dev`"), after_a_fetch=("whole",)
    ),
    "download-lambda fetch": Tool(extension="csv", whole=program(*FETCH)),
}
