"""Downloads that become files at the command line, and what a terminal shows of them meanwhile."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from application.downloads.content import Content
    from application.downloads.downloads import Downloads
    from application.downloads.plan import Plan

READ_BYTES = 1 << 20


def write_whole(downloads: "Downloads", plan: "Plan", output: Path) -> int:
    """Write a download beside the output and rename it when whole; returns its bytes.

    So no short file has its name.
    """
    handle, partial = tempfile.mkstemp(dir=output.absolute().parent, prefix=f".{output.name}.")
    try:
        downloads.wait(plan)
        with os.fdopen(handle, "wb") as file, downloads.open(plan) as content:
            size = _copy(content, file.write)
        Path(partial).replace(output)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return size


def _copy(content: "Content", write: Callable[[bytes], int]) -> int:
    """Copy to the end, with a progress bar on a terminal; returns the bytes."""
    with transfer("export") as show:
        while data := content.read_blocking(READ_BYTES):
            write(data)
            show(content.position, content.size)
    return content.position


@contextmanager
def transfer(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """What shows how far a transfer is and, where it is known, how far it goes; on a terminal only."""
    # A server needs none of this.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    columns = (SpinnerColumn(), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(name, total=None)
        yield lambda position, total: progress.update(task, completed=position, total=total)
