"""The files that this process has open."""

from contextlib import suppress
from pathlib import Path


def descriptors(folder: Path) -> int:
    """How many are, or were, in a folder: what else the process opens and closes meanwhile does not count."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        # It may be closed by now.
        with suppress(OSError):
            count += str(link.readlink()).startswith(f"{folder}/")
    return count
