"""What was written last comes from memory to who keeps up, all else from the segments."""

import asyncio
from pathlib import Path

import pytest

from application.spool import Reader, Tape, latest
from application.spool.latest import PIECES
from application.spool.segments import FileSegment
from tests.support.tapes import BYTES, WINDOW, ended, nothing, opened, produce, rest, started

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each read of a segment."""
    found: list[int] = []
    read = FileSegment.read

    def noted(segment: FileSegment, start: int, size: int) -> bytes:
        data = read(segment, start, size)
        found.append(len(data))
        return data

    monkeypatch.setattr(FileSegment, "read", noted)
    return found


def taken(reader: Reader, size: int) -> bytes:
    return asyncio.run(reader.read(size))


def test_who_keeps_up_reads_no_segment(tmp_path: Path, reads: list[int]) -> None:
    tape = Tape(tmp_path, len(BYTES), nothing)
    with opened(tape) as reader:
        for start in range(0, len(BYTES), 500):
            tape.write(BYTES[start : start + 500])
            got = b""
            while len(got) < 500:
                got += taken(reader, 300)
            assert got == BYTES[start : start + 500]
        assert reads == []
        tape.finish()
    tape.close()


def test_who_is_far_behind_reads_the_segments_and_then_what_is_in_memory(
    tmp_path: Path, reads: list[int]
) -> None:
    written = [bytes([place]) * 100 for place in range(PIECES + 5)]
    tape = Tape(tmp_path, 100 * len(written), nothing)
    with opened(tape) as reader:
        for piece in written:
            tape.write(piece)
        assert [taken(reader, 100) for _ in written] == written
        # Those that are not of the last ones.
        assert sum(reads) == 100 * 5
        tape.finish()
    tape.close()


def test_of_much_that_is_written_in_one_go_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[int]
) -> None:
    monkeypatch.setattr(latest, "MOST_WRITTEN", 500)
    tape = Tape(tmp_path, len(BYTES), nothing)
    with opened(tape) as reader:
        tape.write(BYTES[:500])
        tape.write(BYTES[500:1001])
        assert all(tape.latest.find(place, 1) is None for place in range(1001))
        assert taken(reader, 1001) == BYTES[:1001]
        assert sum(reads) == 1001
        tape.finish()
    tape.close()


def test_nothing_is_held_once_all_is_written(tmp_path: Path, reads: list[int]) -> None:
    tape = Tape(tmp_path, len(BYTES), nothing)
    with opened(tape) as reader:
        tape.write(BYTES[:700])
        assert bytes(tape.latest.find(0, 700) or b"") == BYTES[:700]
        tape.finish()
        assert tape.latest.find(0, 700) is None
        assert taken(reader, 700) == BYTES[:700]
        assert sum(reads) == 700
    tape.close()


def test_nothing_is_held_while_the_producer_waits_for_a_slow_reader(
    tmp_path: Path, small_window: None
) -> None:
    tape = Tape(tmp_path, 0, nothing)
    with opened(tape) as reader:
        producer = started(lambda: produce(tape))
        with tape.changed:
            while not tape.blocked:
                tape.changed.wait()
            assert all(tape.latest.find(place, 1) is None for place in range(WINDOW))
        assert rest(reader) == BYTES
        assert ended(producer)
    tape.close()


def test_without_a_folder_all_is_in_memory_once() -> None:
    tape = Tape(None, 0, nothing)
    with opened(tape) as reader:
        tape.write(BYTES[:100])
        assert tape.latest.find(0, 100) is None
        assert taken(reader, 100) == BYTES[:100]
        tape.finish()
    tape.close()
