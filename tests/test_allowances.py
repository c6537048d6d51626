"""What the system lets a process have, and what is left of it."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from application.allowances import DOWNLOAD, Allowance, Room, find_room, raise_file_limit
from application.errors import Busy
from application.introduction import room_for
from application.settings import Settings

ASKED = {
    "engine_threads": 2,
    "engine_bytes": 512_000_000,
    "running": 4,
    "waiting": 256,
    "memory": 1 << 30,
    "files": 4 * 64,
}


@contextmanager
def limited(kind: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def highest_file() -> int:
    return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


def test_where_nothing_is_tight_nothing_is_asked() -> None:
    room = Room((Allowance("open files", 1000, 900), Allowance("threads", None, 900)))
    assert room.tight == ()
    room.check({})


def test_files_are_refused_before_the_last_is_open() -> None:
    with limited(resource.RLIMIT_NOFILE, highest_file() + 100):
        room = find_room(**ASKED)
        assert [each.name for each in room.tight][:1] == ["open files"]
        room.check()
        held: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    held.append(os.dup(0))
            for _ in range(DOWNLOAD["open files"] - 1):
                os.close(held.pop())
            with pytest.raises(Busy, match="open files"):
                room.check()
            os.close(held.pop())
            room.check()
        finally:
            for descriptor in held:
                os.close(descriptor)


def test_address_space_is_refused_before_it_is_used_up() -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    space = DOWNLOAD["address space"]
    room = Room((Allowance("address space", taken, taken + 1),))
    with limited(resource.RLIMIT_AS, taken + 2 * space):
        room.check()
    with limited(resource.RLIMIT_AS, taken + space // 2), pytest.raises(Busy, match="address space"):
        room.check()


def test_threads_are_tried_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    room = Room((Allowance("threads", 10, 400),))
    room.check()
    start, started = threading.Thread.start, []

    def few(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    with pytest.raises(Busy, match="threads"):
        room.check()
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


def test_a_limit_is_told_with_what_is_needed() -> None:
    assert str(Allowance("open files", 64, 840)) == "open files 64 of 840"
    assert str(Allowance("address space", 3 << 30, 4 << 30, 1 << 20)) == "address space 3072 of 4096 MiB"


def test_more_productions_need_more() -> None:
    def needed(**settings: Any) -> list[int]:
        with limited(resource.RLIMIT_NOFILE, 100):
            return [each.needed for each in room_for(Settings(**settings)).tight if each.name == "open files"]

    assert needed(production_queue=10) < needed() < needed(production_limit=16)
    assert needed(spool_dir="off") < needed()


@pytest.mark.parametrize(("text", "size"), [("512MB", 512_000_000), ("1GiB", 1 << 30), ("1.5 KB", 1500)])
def test_the_engines_memory_is_a_number(text: str, size: int) -> None:
    assert Settings(duckdb_memory_limit=text).duckdb_memory_bytes == size


def test_the_limit_of_open_files_is_raised_as_far_as_it_may() -> None:
    program = (
        "import resource as r; from application.allowances import raise_file_limit;"
        "r.setrlimit(r.RLIMIT_NOFILE, (100, 300)); raise_file_limit(200);"
        "print(r.getrlimit(r.RLIMIT_NOFILE)); raise_file_limit(1000); print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["(200, 300)", "(300, 300)"]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_file_limit(before[0])
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
