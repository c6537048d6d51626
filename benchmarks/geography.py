"""Geography: areas over 2,000,000 points, each format of features, and what readers fetch of them by URL.

    .venv/bin/python benchmarks/geography.py urls
    .venv/bin/python benchmarks/geography.py formats [--rows 2000000]
    .venv/bin/python benchmarks/geography.py areas

Prints the tables of docs/performance.md.
"""

import argparse
import math
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from make_data import FOLDER, LONG_ROWS, make
from servers import ROOT, cpu_of, fetch, server

sys.path.insert(0, str(ROOT))
from application.demo import make_demo
from tests.support.proxy import proxying
from tests.support.readers import extension_file

LARGE = {"SPOOL_MAX_RESULT": str(4 << 30), "SPOOL_MAX_BYTES": str(8 << 30), "WHOLE_SECONDS": "1800"}
FORMATS = ("csv", "geojson", "geojsonl", "geoparquet", "fgb", "gpkg")
TREES = "organisation-entity=122"
# Of Doncaster's trees a twentieth.
BOX = (-1.16, 53.49, -1.14, 53.515)


def by_gdal(url: str, box: tuple[float, ...] | None) -> int:
    """The features that GDAL finds at an address."""
    import pyogrio

    # What GDAL asks for beside the file it finds nowhere.
    os.environ["GDAL_DISABLE_READDIR_ON_OPEN"] = "EMPTY_DIR"
    return len(pyogrio.raw.read(f"/vsicurl/{url}", columns=["entity"], bbox=box)[2])


def by_duckdb(url: str, box: tuple[float, ...] | None) -> int:
    """The rows that DuckDB finds at an address."""
    import duckdb

    west, south, east, north = box or (-180, -90, 180, 90)
    with duckdb.connect() as database:
        for name in ("httpfs", "spatial"):
            database.execute(f"LOAD '{extension_file(name)}'")
        where = (
            f"bbox.xmin <= {east} AND bbox.xmax >= {west} AND bbox.ymin <= {north} AND bbox.ymax >= {south}"
        )
        return len(
            database.execute(f"SELECT entity, point FROM read_parquet('{url}') WHERE {where}").fetchall()
        )


READS: tuple[tuple[str, str, Callable[..., int]], ...] = (
    ("fgb", "GDAL", by_gdal),
    ("gpkg", "GDAL", by_gdal),
    ("geojson", "GDAL", by_gdal),
    ("geoparquet", "DuckDB", by_duckdb),
)


def urls() -> None:
    """What readers fetch of a query's address: all of it, and what lies in a box."""
    print("| address | reader | rows | requests | bytes that came | of the file | time |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        make_demo(Path(folder))
        for extension, name, read in READS:
            for box in (None, BOX):
                # A server that has made nothing, and a reader that has read nothing.
                with (
                    server(Path(folder) / "dataset") as found,
                    proxying(f"http://127.0.0.1:{found.port}") as way,
                ):
                    address = f"{way.url}/tree.{extension}?{TREES}"
                    began = time.perf_counter()
                    with multiprocessing.get_context("spawn").Pool(1) as pool:
                        rows = pool.apply(read, (address, box))
                    took = time.perf_counter() - began
                    requests, came = len(way.requests), way.received
                    _, _, size = fetch(found.port, f"/tree.{extension}?{TREES}")
                what = "a box" if box else "all"
                told = f"{rows:,} | {requests} | {came / 1e6:.2f} MB | {size / 1e6:.2f} MB | {took:.1f} s"
                print(f"| `tree.{extension}?{TREES}`, {what} | {name} | {told} |", flush=True)


def formats(rows: int) -> None:
    """Each format of *long* and *wide* beside csv."""
    print("| dataset | format | time | CPU | peak memory | size |\n| --- | --- | ---: | ---: | ---: | ---: |")
    make(FOLDER)
    for name in ("long", "wide"):
        for extension in FORMATS:
            limit = f"?limit={rows}" if name == "long" and rows < LONG_ROWS else ""
            took = measured(FOLDER, f"/{name}.{extension}{limit}")
            print(
                f"| {name} | {extension} | {took.seconds:.1f} s | {took.cpu:.1f} s "
                f"| {took.peak / 1e6:.0f} MB | {took.size / 1e6:.1f} MB |",
                flush=True,
            )


def areas() -> None:
    """Areas over the points of *long*; a large one comes from another dataset."""
    long = make(FOLDER)["long"]
    print("| rows | CPU | time | rows found |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(long, folder)
        outlines = {
            "district": outline(300, 0.03),
            "smooth": outline(220_000, 0.15),
            "spiky": outline(220_000, 0.15, spikes=0.3),
        }
        table = pa.table({"reference": list(outlines), "geometry": list(outlines.values())})
        pq.write_table(table, Path(folder) / "area.parquet")
        questions = {
            "all": "",
            "`bbox`": "bbox=-1.88,51.6,-1.85,51.7",
            "`within` a district of 300 corners": "within=area:district",
            "`near` 20 km": "near=-1.864,51.65,20000",
            f"`within` a smooth area of {len(outlines['smooth']) / 1e6:.1f} MB": "within=area:smooth",
            f"`within` a spiky area of {len(outlines['spiky']) / 1e6:.1f} MB": "within=area:spiky",
        }
        for words, question in questions.items():
            path = f"/long.ndjson?field=entity&{quote(question, safe='=&:,')}"
            took = measured(Path(folder), path)
            rows = took.size // len('{"entity":7000000000}\n')
            print(f"| {words} | {took.cpu:.1f} s | {took.seconds:.1f} s | {rows:,} |", flush=True)


def outline(corners: int, size: float, spikes: float = 0.0) -> str:
    """A ring of so many corners and degrees, as WKT; ``spikes`` are a part of its size, and each another."""
    ring = []
    for corner in range(corners):
        turn, dice = 2 * math.pi * corner / corners, corner * 2_654_435_761 % 2**32 / 2**32
        reach = size * (1 + spikes * math.sin(40 * turn) * (0.6 + 0.4 * dice))
        ring.append(f"{-1.864 + reach * math.cos(turn):.15f} {51.7 + reach * math.sin(turn):.15f}")
    return f"POLYGON (({','.join([*ring, ring[0]])}))"


class Took(NamedTuple):
    """Seconds, CPU seconds of the server, its bytes of memory at the peak, and those of the result."""

    seconds: float
    cpu: float
    peak: int
    size: int


def measured(folder: Path, path: str) -> Took:
    """The first download of a server that makes any result whole, however long it takes."""
    with tempfile.TemporaryDirectory() as spool, server(folder, SPOOL_DIR=spool, **LARGE) as found:
        before = cpu_of(found.pid)
        seconds, _, size = fetch(found.port, path)
        return Took(seconds, cpu_of(found.pid) - before, found.peak(), size)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["urls", "formats", "areas"])
    parser.add_argument("--rows", type=int, default=LONG_ROWS, help="so many of *long*, for formats")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores\n", flush=True)
    if options.what == "formats":
        formats(options.rows)
    else:
        {"urls": urls, "areas": areas}[options.what]()
