"""What the system says of this process's memory."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# Where a control group of version 2 or 1 says how much its processes may have together.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def resident_bytes() -> float:
    """Memory of this process, 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def most_memory(limits: Sequence[Path] = LIMITS) -> int | None:
    """Bytes that the machine has, or the container may have; None where the system does not say."""
    found = []
    with suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in limits:
        # Without a limit there is a word in it.
        with suppress(OSError, ValueError):
            found.append(int(path.read_text()))
    return min(found, default=None)
