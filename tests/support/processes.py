"""The command `serve` in a process of its own, with all that it writes."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.support.serving import SECONDS, eventually

# `python -m` these.
SERVE, UVICORN = ("application", "serve"), ("uvicorn", "application.main:app")
FOREIGN = ("AWS_", "DATASET_", "OTEL_", "PROMETHEUS_", "LOG_", "METRICS", "SPOOL_")


@dataclass(slots=True)
class Running:
    """A process that serves: its port, and the lines of its log so far."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """Over a connection of its own, which any worker may take."""
        return httpx2.get(self.url + path, timeout=SECONDS, trust_env=False, **options)

    def records(self) -> list[dict[str, Any]]:
        """The log, where it is JSON."""
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def requests(self) -> list[dict[str, Any]]:
        """The access lines."""
        return [record for record in self.records() if record["message"] == "request"]

    def workers(self) -> list[int]:
        """The processes that have served, in the order of their start."""
        found = [re.search(r"Started server process \[(\d+)\]", line) for line in list(self.lines)]
        return [int(each[1]) for each in found if each]

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """The metrics page: name and sorted labels to value."""
        return samples(self.get("/metrics").text)


def samples(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """A metrics page, by Prometheus's own parser."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def total(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    """The sum of all samples of a metric that have these labels."""
    return sum(
        value
        for (metric, pairs), value in found.items()
        if metric == f"download_lambda_{name}" and labels.items() <= dict(pairs).items()
    )


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    workers: int = 1,
    command: tuple[str, ...] = SERVE,
    under: tuple[str, ...] = (),
    **environment: str,
) -> Iterator[Running]:
    """Serve a folder until the block ends; the process is killed if it has not ended by then.

    ``command`` is what serves: ours, or another server of the same application; ``under`` is a command that
    runs it, such as one that limits it.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    given = {"DATASET_BUCKET": folder.as_uri(), "DATASET_PREFIX": "", "LOG_FORMAT": "json", **environment}
    with subprocess.Popen(
        [
            *(*under, sys.executable, "-m", *command, "--port", "0"),
            *("--workers", str(workers), *arguments),
        ],
        env={**clean, **given},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        found = Running(process)

        def pump() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                found.lines.append(line)

        pumping = threading.Thread(target=pump, daemon=True)
        pumping.start()
        try:
            eventually(lambda: process.poll() is not None or _is_up(found, workers))
            assert process.poll() is None, "".join(found.lines)
            (place,) = [each for line in found.lines if (each := re.search(r"http://[\d.]+:(\d+) ", line))]
            found.port = int(place[1])
            yield found
        finally:
            for worker in found.workers() if process.poll() is None else ():
                if worker != process.pid:
                    _kill(worker)
            process.kill()
            process.wait(SECONDS)
            pumping.join(SECONDS)


def _is_up(found: Running, workers: int) -> bool:
    lines = list(found.lines)
    started = sum("Application startup complete" in line for line in lines)
    return started >= workers and any("Uvicorn running" in line for line in lines)


def _kill(process: int) -> None:
    try:
        os.kill(process, 9)
    except ProcessLookupError:
        return
