"""The files that this process has open."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def descriptors(folder: Path) -> int:
    """How many are, or were, in a folder: what else the process opens and closes meanwhile does not count."""
    return sum(1 for _ in _opened(folder))


def anonymous(folder: Path) -> int:
    """How many of them have no name, as a tape's segments."""
    return sum(name.endswith(" (deleted)") for name in _opened(folder))


def _opened(folder: Path) -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        # It may be closed by now.
        with suppress(OSError):
            name = str(link.readlink())
            if name.startswith(f"{folder}/"):
                yield name
