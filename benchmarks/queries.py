"""Measures questions to the real server, and the engine alone on the same question, in turns.

Each round starts a server, so nothing comes from the spool, and DuckDB in a process of its own, which hands
the same rows on as Arrow batches. What the server reads is what its process read of files, by /proc, and so
also what it sends from the spool.
"""

import argparse
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from make_data import FOLDER, make
from servers import READ_BYTES, Server, server

SPAWN = multiprocessing.get_context("spawn")
# A question by name: dataset, parameters, and the same as DuckDB has it, where and what follows.
QUESTIONS: dict[str, tuple[str, str, str]] = {
    "comparison": ("long", "entry-date__gte=2020", "WHERE \"entry-date\" >= DATE '2020-01-01'"),
    "icontains": ("long", "name__icontains=42", "WHERE contains(lower(name), '42')"),
    "in": (
        "long",
        "organisation-entity__in=90,122,329",
        'WHERE "organisation-entity" IN (90, 122, 329)',
    ),
    "sort, limit 100": (
        "long",
        "sort=-entry-date&limit=100",
        'ORDER BY "entry-date" DESC NULLS LAST LIMIT 100',
    ),
    "sort, all": ("long", "sort=name", "ORDER BY name NULLS LAST"),
    "period": ("long", "period=current", 'WHERE "end-date" IS NULL OR "end-date" > current_date'),
    "wide: sort, all": ("wide", "sort=name", "ORDER BY name NULLS LAST"),
    "wide: icontains": ("wide", "name__icontains=42", "WHERE contains(lower(name), '42')"),
}


def engine(dataset: str, sql: str) -> tuple[float, int]:
    """Seconds, and rows, of the engine alone."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        began = time.perf_counter()
        reader = connection.execute(f"SELECT * FROM read_parquet('{FOLDER / dataset}.parquet') {sql}")
        rows = sum(batch.num_rows for batch in reader.to_arrow_reader(16384))
        return time.perf_counter() - began, rows


def read_bytes(running: Server) -> int:
    """Bytes that the server's process has read."""
    lines = Path(f"/proc/{running.process.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def asked(running: Server, path: str) -> tuple[float, int]:
    """Seconds, and bytes of the answer."""
    connection = HTTPConnection("127.0.0.1", running.port, timeout=600)
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(response.read()[:500].decode())
    size = 0
    while data := response.read(READ_BYTES):
        size += len(data)
    connection.close()
    return time.perf_counter() - began, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    make(FOLDER)
    print("| question | server, csv | engine | ratio | read | rows |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (dataset, parameters, sql) in QUESTIONS.items():
        ours, theirs, read, rows = [], [], [], 0
        for _ in range(runs):
            with ProcessPoolExecutor(1, mp_context=SPAWN) as alone:
                seconds, rows = alone.submit(engine, dataset, sql).result()
            theirs.append(seconds)
            with server(FOLDER) as running:
                # Imports and the footer are not counted.
                asked(running, f"/{dataset}.csv?limit=1&field=entity")
                before = read_bytes(running)
                ours.append(asked(running, f"/{dataset}.csv?{quote(parameters, safe='=&,-_')}")[0])
                read.append(read_bytes(running) - before)
        mine, other = statistics.median(ours), statistics.median(theirs)
        moved = statistics.median(read) / 1e6
        print(
            f"| {name} | {mine:.3f} s | {other:.3f} s | {mine / other:.2f} | {moved:.1f} MB | {rows:,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
