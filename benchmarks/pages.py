"""Times of the pages, as a browser asks for them: the catalogue, and those of the datasets of make_data.py.

    .venv/bin/python benchmarks/pages.py

Prints a table for docs/performance.md. *Cold* is the first request of a process; *kept* the same page again;
*filtered* are queries that nobody asked for before.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import catalogue
import make_data
from servers import Server, fetch, server

HTML = {"Accept": "text/html", "Accept-Encoding": "gzip"}
DATASETS = 300
AGAIN, COLD = 20, 3
BROWSERS, PAGES_EACH = 10, 5
# Large ones, each another query, so that none is kept.
DOWNLOADS = ("csv", "json", "ndjson", "parquet")
NUMBERS = count(1)


def seconds(running: Server, path: str) -> float:
    """Seconds for a page, to its end."""
    return fetch(running.port, path, headers=HTML)[0]


def filtered(name: str) -> str:
    """The page of a query that nobody has asked for; its rows are few, and anywhere."""
    return f"/{name}?organisation-entity={next(NUMBERS) % 400}&entity__gte={next(NUMBERS)}"


def told(what: str, times: list[float]) -> None:
    """Print a row."""
    print(f"| {what} | {1000 * statistics.median(times):.0f} ms | {1000 * max(times):.0f} ms |", flush=True)


def measure_catalogue(folder: Path) -> None:
    catalogue.make(folder, DATASETS, 0)
    with server(folder) as running:
        told(f"catalogue of {DATASETS} datasets, first", [seconds(running, "/")])
        told("kept", [seconds(running, "/") for _ in range(AGAIN)])


def measure_page(folder: Path, name: str) -> None:
    cold = []
    for _ in range(COLD):
        with server(folder) as running:
            cold.append(seconds(running, f"/{name}"))
    told(f"*{name}*, cold", cold)
    with server(folder) as running:
        path = f"/{name}"
        # Until all is known of it.
        for _ in range(5):
            seconds(running, path)
            time.sleep(1)
        told(f"*{name}*, kept", [seconds(running, path) for _ in range(AGAIN)])
        told(f"*{name}*, filtered", [seconds(running, filtered(name)) for _ in range(AGAIN)])


@contextmanager
def downloading(running: Server) -> Iterator[None]:
    """Large downloads, one after the other in each of four threads, until the block ends."""
    over = threading.Event()

    def take(extension: str) -> None:
        while not over.is_set():
            fetch(running.port, f"/long.{extension}?entity__gte={next(NUMBERS)}")

    with ThreadPoolExecutor(len(DOWNLOADS)) as pool:
        taking = [pool.submit(take, extension) for extension in DOWNLOADS]
        try:
            yield
        finally:
            over.set()
        for one in taking:
            one.result()


def measure_many(folder: Path) -> None:
    def browse(address: Callable[[], str]) -> list[float]:
        return [seconds(running, address()) for _ in range(PAGES_EACH)]

    with server(folder) as running, ThreadPoolExecutor(BROWSERS) as browsers:
        for name in ("long", "wide"):
            seconds(running, f"/{name}")
        for what, address in {
            "the page of *long*": lambda: "/long",
            "filtered pages of *long*": lambda: filtered("long"),
        }.items():
            with downloading(running):
                time.sleep(1)
                times = [took for one in browsers.map(browse, [address] * BROWSERS) for took in one]
            told(f"{BROWSERS} browsers at once while {len(DOWNLOADS)} downloads run, {what}", times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=make_data.FOLDER)
    folder = parser.parse_args().folder
    make_data.make(folder)
    print(
        f"Load before: {os.getloadavg()[0]:.1f}\n\n| page | median | worst |\n| --- | --- | --- |", flush=True
    )
    with tempfile.TemporaryDirectory() as other:
        measure_catalogue(Path(other) / "datasets")
    for name in ("long", "wide"):
        measure_page(folder, name)
    measure_many(folder)
    print(f"\nLoad after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
