"""Measures the real server on the two datasets, and its peers beside it in the same run.

Each round starts a new server for every download, so nothing comes from the spool and the peak memory
belongs to that download alone. A small filtered download goes first: imports are not counted.
Peers are polars and DuckDB without HTTP, each in a process of its own, writing to /dev/null.
"""

import argparse
import json
import multiprocessing
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path

from make_data import FOLDER, LONG_ROWS, WIDE_ROWS, make

READ_BYTES = 1 << 20
HEALTH_PAUSE_SECONDS = 0.02
EXCLUDED = {"long": "notes", "wide": "reference"}
ROWS = {"long": LONG_ROWS, "wide": WIDE_ROWS}
DATASETS = ("long", "wide")
FORMATS = ("csv", "json", "ndjson", "parquet")
AT_ONCE = ("long.csv", "long.json", "wide.csv", "wide.ndjson")
# pyarrow imports pandas where it is there: the tests have it, a deployed service does not.
SERVE = """
import sys
class WithoutPandas:
    def find_spec(self, name, *_):
        if name == "pandas":
            raise ModuleNotFoundError("no pandas here", name=name)
sys.meta_path.insert(0, WithoutPandas())
from application.cli import main
sys.exit(main())
"""
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds, and bytes of memory at the peak."""

    total: float
    first_byte: float
    peak: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where, and its process."""

    port: int
    process: subprocess.Popen[bytes]

    def peak(self) -> int:
        return peak_of(self.process.pid)


def peak_of(pid: int | str) -> int:
    # Not getrusage: a new process starts with its parent's peak there.
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    environment = os.environ | {"DATASET_BUCKET": folder.resolve().as_uri(), "DATASET_PREFIX": "/"}
    command = [sys.executable, "-c", SERVE, "serve", "--port", str(port)]
    root = Path(__file__).resolve().parent.parent
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            while not health(port):
                if process.poll() is not None:
                    log.seek(0)
                    sys.exit(log.read().decode())
                time.sleep(0.05)
            yield Server(port, process)
        finally:
            process.terminate()


def health(port: int) -> float | None:
    """Seconds that /health takes on a new connection, or None while nothing answers."""
    began = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()
    return time.perf_counter() - began


def fetch(port: int, path: str, output: str = os.devnull) -> tuple[float, float, int]:
    """Seconds to the end, seconds to the body's first byte, bytes; raises on a status or a short body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    buffer = memoryview(bytearray(READ_BYTES))
    size = 0
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {response.read(500)!r}")
    with Path(output).open("wb") as file:
        size += file.write(response.read(1))
        first = time.perf_counter() - began
        while count := response.readinto(buffer):
            size += file.write(buffer[:count])
    total = time.perf_counter() - began
    connection.close()
    return total, first, size


def path_of(dataset: str, extension: str) -> str:
    excluded = f"?exclude_field={EXCLUDED[dataset]}" if extension == "parquet" else ""
    return f"/{dataset}.{extension}{excluded}"


def ours(folder: Path, dataset: str, extension: str) -> Measured:
    with server(folder) as running:
        fetch(running.port, f"/{dataset}.{extension}?organisation-entity=1&field=entity")
        total, first, _ = fetch(running.port, path_of(dataset, extension))
        return Measured(total, first, running.peak())


def verify(folder: Path, dataset: str, extension: str) -> int:
    """The rows of a download, each of them read."""
    with server(folder) as running, tempfile.TemporaryDirectory() as place:
        output = f"{place}/{dataset}.{extension}"
        fetch(running.port, path_of(dataset, extension), output)
        return COUNTS[extension](output)


def _count_csv(path: str) -> int:
    import pyarrow.csv

    parsed = pyarrow.csv.ParseOptions(newlines_in_values=True)
    large = pyarrow.csv.ReadOptions(block_size=8 << 20)
    with pyarrow.csv.open_csv(path, read_options=large, parse_options=parsed) as reader:
        return sum(batch.num_rows for batch in reader)


def _count_json(path: str) -> int:
    """One array, a row a line; by lines, for the whole as Python objects would take gigabytes."""
    import orjson

    rows = 0
    with Path(path).open("rb") as file:
        for number, line in enumerate(file):
            if not number and not line.startswith(b"["):
                raise ValueError(f"{path} is not an array")
            end = b"," if line.endswith(b",\n") else b"]"
            rows += isinstance(orjson.loads(line.strip().removeprefix(b"[").removesuffix(end)), dict)
    if end != b"]" or not line.endswith(b"]"):
        raise ValueError(f"{path} does not end")
    return rows


def _count_ndjson(path: str) -> int:
    import orjson

    with Path(path).open("rb") as file:
        return sum(isinstance(orjson.loads(line), dict) for line in file)


def _count_parquet(path: str) -> int:
    import pyarrow.parquet as pq

    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches())


COUNTS: dict[str, Callable[[str], int]] = {
    "csv": _count_csv,
    "json": _count_json,
    "ndjson": _count_ndjson,
    "parquet": _count_parquet,
}


def run_polars(source: str, dataset: str, extension: str) -> None:
    import polars as pl

    frame = pl.scan_parquet(source)
    if extension == "csv":
        frame.sink_csv(os.devnull)
    elif extension == "parquet":
        frame.drop(EXCLUDED[dataset]).sink_parquet(os.devnull, compression="zstd", compression_level=1)
    else:
        frame.sink_ndjson(os.devnull)


def run_duckdb(source: str, dataset: str, extension: str) -> None:
    import duckdb

    excluded = f' EXCLUDE ("{EXCLUDED[dataset]}")' if extension == "parquet" else ""
    options = {
        "csv": "FORMAT csv, HEADER",
        "json": "FORMAT json, ARRAY true",
        "ndjson": "FORMAT json",
        "parquet": "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1",
    }[extension]
    # Without the last option DuckDB would write beside /dev/null and rename.
    sql = f"COPY (SELECT *{excluded} FROM '{source}') TO '{os.devnull}' ({options}, USE_TMP_FILE false)"
    with duckdb.connect() as connection:
        connection.execute(sql)


PEERS = {"polars": run_polars, "duckdb": run_duckdb}


def measure_peer(name: str, source: str, dataset: str, extension: str) -> Measured:
    """Runs in a process of its own; imports are not counted."""
    __import__(name)
    began = time.perf_counter()
    PEERS[name](source, dataset, extension)
    total = time.perf_counter() - began
    return Measured(total, total, peak_of("self"))


def peer(name: str, source: Path, dataset: str, extension: str) -> Measured:
    with ProcessPoolExecutor(1, SPAWN) as pool:
        return pool.submit(measure_peer, name, str(source), dataset, extension).result()


def under_load(folder: Path) -> tuple[list[float], list[float], int]:
    """Seconds of /health at rest and while four large downloads run, and the server's peak memory."""
    with server(folder) as running, ProcessPoolExecutor(len(AT_ONCE), SPAWN) as pool:
        list(pool.map(abs, range(len(AT_ONCE))))
        rest = [_sample(running.port) for _ in range(100)]
        downloads = [pool.submit(fetch, running.port, f"/{name}") for name in AT_ONCE]
        busy = []
        while not all(download.done() for download in downloads):
            busy.append(_sample(running.port))
        for download in downloads:
            download.result()
        return rest, busy, running.peak()


def _sample(port: int) -> float:
    time.sleep(HEALTH_PAUSE_SECONDS)
    seconds = health(port)
    if seconds is None:
        raise RuntimeError("/health did not answer")
    return seconds


def middle(runs: list[Measured], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)


def report(results: dict[str, dict[str, list[Measured]]], rows: dict[str, int]) -> None:
    print("| download | rows | first byte | total | peak memory | polars | DuckDB | × polars | × DuckDB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, runs in results.items():
        own = middle(runs["ours"], "total")
        others = {who: middle(runs[who], "total") for who in PEERS}
        cells = [
            name,
            f"{rows[name]:,}",
            f"{middle(runs['ours'], 'first_byte') * 1000:.0f} ms",
            f"{own:.2f} s",
            f"{middle(runs['ours'], 'peak') / 1e6:.0f} MB",
            *(f"{seconds:.2f} s" for seconds in others.values()),
            *(f"{own / seconds:.2f}" for seconds in others.values()),
        ]
        print(f"| {' | '.join(cells)} |")
    print("\n| peer | peak memory, median of the downloads |\n| --- | ---: |")
    for who in PEERS:
        peaks = [middle(runs[who], "peak") for runs in results.values()]
        print(f"| {who} | {min(peaks) / 1e6:.0f} to {max(peaks) / 1e6:.0f} MB |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the datasets are, made if absent")
    parser.add_argument("--runs", type=int, default=3, help="rounds; the medians are shown")
    parser.add_argument("--raw", type=Path, help="also write every measurement to this JSON file")
    options = parser.parse_args()
    sources = make(options.folder)
    names = {f"{dataset}.{extension}": (dataset, extension) for dataset in DATASETS for extension in FORMATS}

    rows = {}
    for name, (dataset, extension) in names.items():
        rows[name] = verify(options.folder, dataset, extension)
        if rows[name] != ROWS[dataset]:
            sys.exit(f"{name} has {rows[name]:,} rows instead of {ROWS[dataset]:,}")

    results: dict[str, dict[str, list[Measured]]] = {
        name: {who: [] for who in ("ours", *PEERS)} for name in names
    }
    rest: list[float] = []
    busy: list[float] = []
    peaks = []
    for number in range(options.runs):
        for name, (dataset, extension) in names.items():
            results[name]["ours"].append(ours(options.folder, dataset, extension))
            for who in PEERS:
                results[name][who].append(peer(who, sources[dataset], dataset, extension))
        more_rest, more_busy, peak = under_load(options.folder)
        rest += more_rest
        busy += more_busy
        peaks.append(peak)
        print(f"round {number + 1} of {options.runs} done", file=sys.stderr)

    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(
        ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "polars", "uvicorn")), end=", "
    )
    print(f"load average {os.getloadavg()[0]:.1f}; medians of {options.runs} runs\n")
    report(results, rows)
    print(f"\n`/health` at rest: median {statistics.median(rest) * 1000:.1f} ms.")
    worst = statistics.quantiles(busy, n=100)[-1]
    print(
        f"`/health` while {', '.join(AT_ONCE)} run: median {statistics.median(busy) * 1000:.1f} ms, "
        f"99th percentile {worst * 1000:.0f} ms, {len(busy)} samples; "
        f"peak memory of the server {statistics.median(peaks) / 1e6:.0f} MB."
    )
    if options.raw:
        kept = {
            name: {
                who: [(run.total, run.first_byte, run.peak) for run in measured]
                for who, measured in runs.items()
            }
            for name, runs in results.items()
        }
        options.raw.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
