"""When patience with a production is over."""

from dataclasses import dataclass

import pytest

from application.errors import DeadlineExceeded, StorageStalled
from application.production.watchdog import Patience, Watch


@dataclass
class Bytes:
    """What was written so far, and whether the producer waits for a reader."""

    size: int = 0
    blocked: bool = False


def test_silence_is_counted_from_the_last_byte() -> None:
    watch, tape = Watch(Patience(stall_seconds=10, most_seconds=100), 0), Bytes()
    assert watch.look(9, tape) is None
    tape.size = 1
    assert watch.look(18, tape) is None
    assert watch.look(28, tape) is None
    assert isinstance(watch.look(28.1, tape), StorageStalled)


def test_making_bytes_all_the_time_takes_too_long_in_the_end() -> None:
    watch, tape = Watch(Patience(stall_seconds=10, most_seconds=20), 0), Bytes()
    for moment in range(1, 21):
        tape.size += 1
        assert watch.look(moment, tape) is None
    tape.size += 1
    failure = watch.look(21, tape)
    assert isinstance(failure, DeadlineExceeded)
    assert "20 s" in str(failure)


@pytest.mark.parametrize("patience", [Patience(5, 1000), Patience(1000, 5)])
def test_waiting_for_a_slow_reader_counts_for_neither_limit(patience: Patience) -> None:
    watch, tape = Watch(patience, 0), Bytes(blocked=True)
    assert all(watch.look(moment, tape) is None for moment in range(1, 500))
    tape.blocked = False
    assert watch.look(501, tape) is None


def test_work_before_the_first_byte_is_no_silence_but_waiting_is() -> None:
    watch, tape = Watch(Patience(stall_seconds=10, most_seconds=1000), 0), Bytes()
    for moment in range(1, 100):
        assert watch.look(moment, tape, effort=moment * 0.9) is None
    spent = 99 * 0.9
    for moment in range(100, 110):
        assert watch.look(moment, tape, effort=spent) is None
    assert isinstance(watch.look(110.1, tape, effort=spent), StorageStalled)
