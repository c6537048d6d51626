"""What the service is measured beside, in an environment of its own (requirements-bench.txt).

    peers.py sink polars|duckdb SOURCE EXTENSION COLUMN BELOW
                                    writes to /dev/null, prints what it took as JSON
    peers.py static PORT FOLDER                           serves files by uvicorn and Starlette
    peers.py versions                                     prints them

COLUMN is left out of Parquet, as it is of the download that is compared; rows have an `entity` BELOW that.
Both may be empty.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("polars", "duckdb", "roapi", "uvicorn")


def sink_polars(source: str, extension: str, excluded: str, below: str) -> None:
    import polars as pl

    frame = pl.scan_parquet(source)
    if below:
        frame = frame.filter(pl.col("entity") < int(below))
    if extension == "csv":
        frame.sink_csv(os.devnull)
    elif extension == "parquet":
        frame.drop(*filter(None, [excluded])).sink_parquet(
            os.devnull, compression="zstd", compression_level=1
        )
    else:
        frame.sink_ndjson(os.devnull)


def sink_duckdb(source: str, extension: str, excluded: str, below: str) -> None:
    import duckdb

    left_out = f' EXCLUDE ("{excluded}")' if extension == "parquet" and excluded else ""
    rows = f" WHERE entity < {int(below)}" if below else ""
    options = {
        "csv": "FORMAT csv, HEADER",
        "json": "FORMAT json, ARRAY true",
        "ndjson": "FORMAT json",
        "parquet": "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1",
    }[extension]
    # Without the last option DuckDB would write beside /dev/null and rename.
    sql = f"COPY (SELECT *{left_out} FROM '{source}'{rows}) TO '{os.devnull}' ({options}, USE_TMP_FILE false)"
    with duckdb.connect() as connection:
        connection.execute(sql)


SINKS = {"polars": sink_polars, "duckdb": sink_duckdb}


def sink(name: str, *given: str) -> None:
    __import__(name)
    began, before = time.perf_counter(), time.process_time()
    SINKS[name](*given)
    took = {"total": time.perf_counter() - began, "cpu": time.process_time() - before}
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({**took, "first_byte": took["total"], "peak": peak}))


def static(port: str, folder: str) -> None:
    import uvicorn
    from starlette.staticfiles import StaticFiles

    uvicorn.run(StaticFiles(directory=folder), port=int(port), log_level="error")


def versions() -> None:
    print(json.dumps({name: version(name) for name in PACKAGES}))


if __name__ == "__main__":
    {"sink": sink, "static": static, "versions": versions}[sys.argv[1]](*sys.argv[2:])
