"""File handles for what is made or imported once: what fails then stays broken until the process ends."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from io import BytesIO

from application.errors import Busy
from application.niceness import SHORT, stand_back

# A library opens few at a time; the rest is for who takes some meanwhile.
SPARE = 32


def has_handles(count: int) -> bool:
    """True where the process can have so many more file handles."""
    try:
        with ExitStack() as held:
            for _ in range(count):
                held.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def check_handles() -> None:
    """Raise Busy where the process has too few file handles left to begin with a library."""
    if not has_handles(SPARE):
        raise Busy("This service has too few file handles left; try again later.")


@cache
def begin_polars() -> None:
    """Have polars make its threads and what wakes them, while there are handles for them; or Busy.

    All that it ever does for large work and small is theirs, so they leave the cores to the event loop first.
    """
    check_handles()
    with ThreadPoolExecutor(1) as thread:
        # Threads are as nice as who makes them, and that cannot be taken back.
        thread.submit(_make_polars_threads).result()


def _make_polars_threads() -> None:
    stand_back(SHORT)
    import polars as pl

    pl.DataFrame({"v": [0]}).write_ndjson(BytesIO())
