"""Files that are changed or damaged while they are read, or are damaged already."""

import os
import threading
from collections.abc import Callable
from itertools import count, product
from pathlib import Path

import pytest

from tests.faults.conftest import Folder
from tests.faults.data import GROUPS, KINDS, Kind, Library
from tests.faults.law import Court, taking_turns
from tests.support import tables
from tests.support.proxy import proxying
from tests.support.serving import eventually

pytestmark = pytest.mark.faults

HELD_AFTER = 200 << 10
names = count()


def replaced(library: Library, file: Path) -> None:
    library.put(2, file)


def overwritten(library: Library, file: Path) -> None:
    file.write_bytes(library.file(2).read_bytes())


def cut(library: Library, file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def removed(library: Library, file: Path) -> None:
    file.unlink()


def damaged(library: Library, file: Path) -> None:
    tables.spoil(file, GROUPS // 2)


def without_a_footer(library: Library, file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(-200, os.SEEK_END)
        opened.write(bytes(200))


def emptied(library: Library, file: Path) -> None:
    os.truncate(file, 0)


Change = Callable[[Library, Path], None]
CHANGES = (replaced, overwritten, cut, removed, damaged)
DAMAGES = (cut, damaged, without_a_footer, emptied)


def name_of(value: object) -> str:
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize(("change", "kind"), list(product(CHANGES, KINDS)), ids=name_of)
def test_a_file_changed_while_it_is_read(
    unspooled: Folder,
    library: Library,
    folder_court: Court,
    change: Change,
    kind: Kind,
) -> None:
    dataset = f"changed-{next(names)}"
    file = unspooled.folder / f"{dataset}.parquet"
    library.put(1, file)
    # The client's way is held in the middle, and the production waits for it.
    with proxying(unspooled.served.url, buffer=64 << 10) as proxy:
        over = threading.Event()

        def change_midway() -> None:
            if eventually(lambda: over.is_set() or not proxy.flowing.is_set()) and not over.is_set():
                change(library, file)
            proxy.release()

        changing = threading.Thread(target=change_midway)

        def begin() -> None:
            proxy.hold_after(HELD_AFTER)
            changing.start()

        def mend() -> None:
            over.set()
            changing.join()
            library.put(2, file)

        words = f"file {change.__name__} while it is read"
        turn = CHANGES.index(change) + KINDS.index(kind)
        case = taking_turns(turn, words, kind)
        folder_court.judge(case, dataset, mend, cause=begin, url=proxy.url, versions=(1, 2))
    file.unlink()


@pytest.mark.parametrize(("damage", "kind"), list(product(DAMAGES, KINDS)), ids=name_of)
def test_a_file_that_is_damaged(
    unspooled: Folder,
    library: Library,
    folder_court: Court,
    damage: Change,
    kind: Kind,
) -> None:
    if kind.native and damage is damaged:
        pytest.skip("a stored object is passed on as it is, its pages unread")
    dataset = f"damaged-{next(names)}"
    file = unspooled.folder / f"{dataset}.parquet"
    library.put(1, file)
    damage(library, file)
    turn = DAMAGES.index(damage) + KINDS.index(kind)
    case = taking_turns(turn, f"file {damage.__name__.replace('_', ' ')} before it is read", kind)
    folder_court.judge(case, dataset, lambda: library.put(1, file), versions=())
    file.unlink()
