"""Readers that come and go: what becomes of the tape that they read, and of who writes it."""

import sys
from pathlib import Path

import pytest

from application.errors import EngineFailed, ProductionCancelled
from application.spool import Reader, Tape
from tests.support.tapes import (
    BYTES,
    SEGMENT,
    ended,
    nothing,
    opened,
    produce,
    settled,
    started,
)

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("small_window")]


@pytest.mark.parametrize("keep", [0, len(BYTES)])
def test_the_last_reader_to_leave_cancels_the_producer(
    keep: int, folder: Path | None, no_descriptor_left: None
) -> None:
    left = []
    tape = Tape(folder, keep, lambda: left.append("idle"))
    first, last = opened(tape), opened(tape)
    tape.write(b"x" * SEGMENT)
    first.close()
    first.close()
    assert left == []
    last.close()
    last.close()
    assert left == ["idle"]
    assert Reader.of(tape) is None
    with pytest.raises(ProductionCancelled):
        tape.write(b"more")
    tape.fail(ProductionCancelled("gone"))


def test_the_last_reader_to_leave_wakes_a_producer_that_waits(folder: Path | None) -> None:
    tape = Tape(folder, 0, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape))
    settled(tape)
    reader.close()
    assert ended(producer)
    assert isinstance(tape.failure, ProductionCancelled)


def test_a_held_tape_takes_readers_until_its_producer_gives_up(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 10, nothing)
    first = opened(tape)
    tape.hold()
    first.close()
    tape.write(BYTES[:11])
    opened(tape).close()
    with pytest.raises(ProductionCancelled):
        tape.write(BYTES[11:20])
    assert Reader.of(tape) is None
    tape.fail(EngineFailed("over"))


def test_a_held_tape_is_deserted_only_while_nobody_reads_it(tmp_path: Path) -> None:
    tape = Tape(tmp_path, sys.maxsize, nothing)
    reader = opened(tape)
    tape.hold()
    assert not tape.desert()
    reader.close()
    assert tape.desert()
    assert Reader.of(tape) is None
    tape.fail(EngineFailed("over"))
    assert not tape.desert()


def test_a_reader_that_leaves_a_whole_tape_cancels_nothing(tmp_path: Path) -> None:
    left: list[str] = []
    tape = Tape(tmp_path, len(BYTES), lambda: left.append("idle"))
    reader = opened(tape)
    produce(tape)
    reader.close()
    assert left == []
    tape.close()
