"""Large cells and many columns: the peak memory of a server for one download of each, in every format.

    .venv/bin/python benchmarks/wide_rows.py

Each download has a server of its own. Prints the table of docs/performance.md.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ("csv", "json", "ndjson", "parquet")
START_SECONDS = 30


def cells(rows: int, size: int) -> pa.Table:
    """Rows with a polygon of so many bytes each, which compresses badly."""
    shapes = [
        "POLYGON((" + ",".join(f"{n * 7919 * row % 99991:05d}.5" for n in range(size // 8)) + "))"
        for row in range(1, rows + 1)
    ]
    return pa.table({"entity": range(rows), "name": [str(row) for row in range(rows)], "geometry": shapes})


DATASETS: dict[str, tuple[str, Callable[[], pa.Table]]] = {
    "regions": ("9 cells of 1.9 MB", lambda: cells(9, 1_900_000)),
    "parks": ("13 cells of 580 KB", lambda: cells(13, 580_000)),
    "border": ("1 cell of 7.7 MB", lambda: cells(1, 7_700_000)),
    "texts": (
        "3 rows of 8,000 text columns",
        lambda: pa.table({f"c{at}": [f"{at}a", None, f"{at}c"] for at in range(8000)}),
    ),
    "integers": (
        "2 rows of 10,000 integer columns",
        lambda: pa.table({f"c{at}": pa.array([at, -at], pa.int64()) for at in range(10_000)}),
    ),
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def peak(process: int) -> int:
    """The most memory that a process had, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) // 1000 if found else 0


def measure(folder: Path, path: str) -> str:
    """The peak of a fresh server that answers one download, its seconds, and what went wrong."""
    port = free_port()
    environment = {**os.environ, "DATASET_BUCKET": str(folder), "DATASET_PREFIX": "", "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "application", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False)
            end = time.monotonic() + START_SECONDS
            while time.monotonic() < end:
                try:
                    client.get("/ready")
                    break
                except httpx2.TransportError:
                    time.sleep(0.05)
            started = time.monotonic()
            response = client.get(path)
            seconds = time.monotonic() - started
            if response.status_code != 200:
                return str(response.status_code)
            return f"{peak(server.pid)} MB, {seconds:.1f} s"
        finally:
            server.terminate()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| dataset |", " | ".join(FORMATS), "|")
        print("| --- |", " | ".join("---:" for _ in FORMATS), "|")
        for dataset, (title, make) in DATASETS.items():
            table = make()
            pq.write_table(table, folder / f"{dataset}.parquet")
            # The whole as Parquet would be the stored object.
            last = table.column_names[1]
            shown = [measure(folder, f"/{dataset}.{extension}?exclude_field={last}") for extension in FORMATS]
            print(f"| {title} |", " | ".join(shown), "|", flush=True)


if __name__ == "__main__":
    main()
