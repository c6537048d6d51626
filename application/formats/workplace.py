"""Where a file is made that is no result yet, beside the tapes of those that are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# What the engine takes to make one file, beside what its rows take.
MEMORY_BYTES = 256 << 20
# And for each row whose place GDAL keeps until the end, for an index: as measured, and some more.
INDEX_BYTES = 160


def _never() -> bool:
    return False


def _nothing(_size: int, _beside: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder, or where the system has temporary files for None.

    ``make_room`` frees there what others can do without, and says whether it did. ``report`` is told how many
    bytes the file has so far, and how many lie in the folder for it; it raises where nobody can have it.
    """

    folder: Path | None = None
    make_room: Callable[[], bool] = _never
    report: Callable[[int, int], None] = _nothing


NOWHERE = Workplace()
