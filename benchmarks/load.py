"""Many clients of one server, on the cores that it runs on: what they get, and what it costs."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from servers import Server, cpu_of, server, warm

CLIENTS = Path(__file__).with_name("clients.py")
# A number that is in no row leaves every row, and makes each request one of its own.
SMALL = "/long.csv?organisation-entity=7&organisation-entity=8&entity__gte=-{}"
LARGE = "/long.csv?entity__gte=-{}"
EQUAL = "/long.csv?exclude_field=notes"


def measure(running: Server, groups: dict[str, tuple[int, str]], seconds: float) -> dict[str, Any]:
    """What each group of clients got, the times of /health, CPU seconds, and memory at the peak."""
    tasks: tuple[dict[str, Any], ...] = (
        {"is_health": False, "port": running.port, "groups": groups, "seconds": seconds},
        {"is_health": True, "port": running.port, "seconds": seconds},
    )
    before = cpu_of(running.pid)
    with ThreadPoolExecutor(len(tasks)) as pool:
        got, health = pool.map(_client, tasks)
    return {**got, "health": health, "cpu": cpu_of(running.pid) - before, "peak": running.peak()}


def _client(task: dict[str, Any]) -> Any:
    command = [sys.executable, str(CLIENTS), json.dumps(task)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def at(share: float, seconds: Sequence[float]) -> str:
    """A percentile in milliseconds."""
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:.0f} ms"


def many(folder: Path, counts: Sequence[int], seconds: float) -> list[str]:
    """A row for each number of clients, of small downloads that differ, and of a large one that is equal."""
    rows = [
        "| clients | downloads | a second | MB/s | first byte p50 | p99 | `/health` p99 | CPU s/GB | peak |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind, path in (("small, all different", SMALL), ("whole, all equal", EQUAL)):
        for clients in counts:
            with server(folder) as running:
                warm(running, SMALL)
                got = measure(running, {"all": (clients, path)}, seconds)
            every, took = got["all"], got["all"]["seconds"]
            cells = [
                str(clients),
                kind,
                f"{len(every['total']) / took:.1f}",
                f"{every['size'] / took / 1e6:.0f}",
                at(0.5, every["first"]),
                at(0.99, every["first"]),
                at(0.99, got["health"]),
                f"{got['cpu'] / every['size'] * 1e9:.1f}",
                f"{got['peak'] / 1e6:.0f} MB",
            ]
            rows.append(f"| {' | '.join(cells)} |")
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def beside_large(folder: Path, seconds: float) -> list[str]:
    """One client of small downloads beside six of large ones."""
    with server(folder) as running:
        warm(running, SMALL)
        got = measure(running, {"small": (1, SMALL), "large": (6, LARGE)}, seconds)
    small = got["small"]["total"]
    return [
        "| small downloads | p50 | p99 | worst | large ones meanwhile, MB/s | `/health`, p99 | peak |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| {len(small)} | {statistics.median(small) * 1000:.0f} ms | {at(0.99, small)} | {at(1.0, small)} "
        f"| {got['large']['size'] / got['large']['seconds'] / 1e6:.0f} | {at(0.99, got['health'])} "
        f"| {got['peak'] / 1e6:.0f} MB |",
    ]
