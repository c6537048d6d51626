"""What the system lets this process have of open files, threads and address space, and what is left of it.

Libraries that meet such a limit halfway do not always come back from it: one that was imported in part stays
so, and native code may end the process. So where a limit is below what the settings need, room is looked for
before something is begun.
"""

import os
import resource
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from application.errors import Busy
from application.formats.handles import has_handles

MEBIBYTE = 1 << 20
# Files in which a running process finds its own limits, by version 2 and 1 of control groups.
THREAD_LIMITS = (Path("/sys/fs/cgroup/pids.max"), Path("/sys/fs/cgroup/pids/pids.max"))
# As measured (docs/operations.md): what a process takes with all loaded, and what comes on top.
BASE_FILES, FILES_OF_A_DOWNLOAD = 64, 2
BASE_THREADS, THREADS_OF_A_PRODUCTION = 96, 6
BASE_BYTES = 3072 * MEBIBYTE
# For what is begun: the engine and the writers at first, then one download.
OPENING = {"open files": 24, "threads": 24, "address space": 3328 * MEBIBYTE}
# For GDAL, which begins some 70 threads as it is loaded, and ends the process where it cannot.
LAYER = {"open files": 16, "threads": 96, "address space": 1024 * MEBIBYTE}
DOWNLOAD = {"open files": 8, "threads": 8, "address space": 256 * MEBIBYTE}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of something the process may have, None for any amount, and how much the settings need."""

    name: str
    most: int | None
    needed: int
    unit: int = 1

    @property
    def is_tight(self) -> bool:
        """True where there is less than may be needed."""
        return self.most is not None and self.most < self.needed

    def __str__(self) -> str:
        unit = " MiB" if self.unit == MEBIBYTE else ""
        return f"{self.name} {(self.most or 0) // self.unit} of {self.needed // self.unit}{unit}"


class Room:
    """Whether there is room for what is to be begun; asked of the system only where a limit is tight."""

    def __init__(self, allowances: tuple[Allowance, ...]) -> None:
        self.tight = tuple(each for each in allowances if each.is_tight)

    def check(self, needed: Mapping[str, int] = DOWNLOAD) -> None:
        """Raise Busy where less is left than is needed of what is tight."""
        for each in self.tight:
            if not LEFT[each.name](needed[each.name]):
                raise Busy(f"This service has no {each.name} to spare; try again later.")


def find_room(
    *, engine_threads: int, engine_bytes: int, running: int, waiting: int, memory: int, files: int
) -> Room:
    """The room for so many productions that run and wait, for their clients, and for the results' files."""
    downloads = running + waiting
    # A production has as many as the engine to encode, to compress, and half as many to read.
    threads = engine_threads + (THREADS_OF_A_PRODUCTION + 3 * engine_threads) * running
    return Room(
        (
            Allowance(
                "open files",
                _soft(resource.RLIMIT_NOFILE),
                BASE_FILES + FILES_OF_A_DOWNLOAD * downloads + files,
            ),
            Allowance(
                "threads",
                _most_threads(),
                BASE_THREADS + threads + waiting,
            ),
            Allowance(
                "address space",
                _soft(resource.RLIMIT_AS),
                BASE_BYTES + engine_bytes + memory,
                MEBIBYTE,
            ),
        )
    )


def raise_file_limit(most: int) -> None:
    """Have as many files open as the system lets us, up to so many: by default it is fewer than it would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _soft(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft


def _most_threads() -> int | None:
    found = []
    # The system lets its administrator have any number.
    if os.geteuid() != 0 and (own := _soft(resource.RLIMIT_NPROC)) is not None:
        found.append(own)
    for path in THREAD_LIMITS:
        with suppress(OSError, ValueError):
            found.append(int(path.read_text()))
    return min(found, default=None)


def _has_threads(count: int) -> bool:
    over = threading.Event()
    try:
        for _ in range(count):
            threading.Thread(target=over.wait, name="room", daemon=True).start()
    except (RuntimeError, MemoryError):
        return False
    finally:
        over.set()
    return True


def _has_address_space(count: int) -> bool:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return False
    return pages * resource.getpagesize() + count <= resource.getrlimit(resource.RLIMIT_AS)[0]


LEFT = {"open files": has_handles, "threads": _has_threads, "address space": _has_address_space}
