"""How far a producer gets ahead of its readers, and what is freed behind them."""

import asyncio
import math
from pathlib import Path

import pytest

from application.errors import AnswerTooLarge, EngineFailed, ProductionCancelled
from application.spool import Reader, Tape
from tests.support.descriptors import descriptors
from tests.support.tapes import (
    BYTES,
    SEGMENT,
    WINDOW,
    ended,
    nothing,
    opened,
    produce,
    rest,
    settled,
    started,
)

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("small_window")]


def test_a_slow_reader_holds_the_producer_a_window_ahead(
    folder: Path | None, no_descriptor_left: None
) -> None:
    tape = Tape(folder, 0, nothing)
    slow, fast = opened(tape), opened(tape)
    producer = started(lambda: produce(tape))
    got = started(lambda: rest(fast))
    size = settled(tape)
    assert WINDOW <= size < WINDOW + SEGMENT
    first = slow.read_blocking(SEGMENT)
    assert size < settled(tape) < size + 2 * SEGMENT
    assert first + rest(slow) == BYTES
    assert ended(producer)
    assert ended(got)
    slow.close()
    fast.close()
    tape.close()


def test_what_all_have_read_is_freed_and_no_new_reader_is_taken(tmp_path: Path) -> None:
    before = descriptors(tmp_path)
    tape = Tape(tmp_path, 0, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape))
    most = 0
    while reader.read_blocking(100):
        most = max(most, descriptors(tmp_path) - before)
    assert ended(producer)
    # A window, the segment that the reader is in, and the one that is written.
    assert 0 < most <= WINDOW // SEGMENT + 2
    assert Reader.of(tape) is None
    reader.close()
    tape.close()
    assert descriptors(tmp_path) == before


@pytest.mark.parametrize("keep", [SEGMENT * 8, SEGMENT * 8 - 1, SEGMENT * 8 + 1, WINDOW, 1])
def test_a_producer_held_at_any_size_goes_on_when_the_reader_does(keep: int, tmp_path: Path) -> None:
    tape = Tape(tmp_path, keep, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape, piece=len(BYTES)))
    assert settled(tape) < len(BYTES)
    got: list[bytes] = []
    reading = started(lambda: got.append(rest(reader, 1 << 20)))
    assert ended(reading)
    assert ended(producer)
    assert got == [BYTES]
    reader.close()
    tape.close()


def test_a_slow_reader_that_leaves_lets_the_others_go_on(folder: Path | None) -> None:
    tape = Tape(folder, 0, nothing)
    slow, fast = opened(tape), opened(tape)
    producer = started(lambda: produce(tape))
    got: list[bytes] = []
    reading = started(lambda: got.append(rest(fast)))
    settled(tape)
    slow.close()
    assert ended(reading)
    assert ended(producer)
    assert got == [BYTES]
    fast.close()
    tape.close()


def test_what_will_not_be_kept_is_not_waited_for(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 1000, nothing)
    reader = opened(tape)

    async def settle(size: float) -> int | None:
        await reader.settle(size)
        return reader.size

    tape.foresee(1000, 5000)
    assert not tape.window.outgrown
    assert tape.held == 5000
    tape.foresee(1001, 6000)
    assert asyncio.run(settle(2000)) is None
    with pytest.raises(AnswerTooLarge, match="1,000 bytes"):
        asyncio.run(settle(math.inf))
    reader.close()
    with pytest.raises(ProductionCancelled):
        tape.foresee(1002, 6000)
    tape.fail(EngineFailed("it was stopped"))
    assert tape.held == 0
