"""Metrics of several processes that add up to one page, in files of a folder."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PROCESS = re.compile(r"_(\d+)\.db$")


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Let the processes that are started meanwhile add up to one page, in a fresh folder of their own.

    Where the environment names a folder already it stays, and whoever named it empties it.
    """
    if FOLDER_VARIABLE in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="download-lambda-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


def all_processes(folder: str) -> "CollectorRegistry":
    """The metrics of all processes that share a folder; reads files."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

    for process in _processes(folder):
        # Another worker may do the same for a page of its own.
        with suppress(FileNotFoundError):
            if not _lives(process):
                mark_process_dead(process, folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


def _processes(folder: str) -> set[int]:
    """The processes that have gauges in the folder."""
    names = [path.name for path in Path(folder).glob("gauge_live*.db")]
    return {int(found[1]) for name in names if (found := _PROCESS.search(name))}


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
