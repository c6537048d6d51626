"""A spool folder that is full: kept results make room, readers are waited for, nothing is lost."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.errors import AnswerTooLarge, DownloadError, SpoolFull
from application.spool import Tape, is_in_memory
from tests.support.full_disk import small_disk
from tests.support.tapes import BYTES, SEGMENT, ended, nothing, opened, produce, rest, started

DISK = 8 * SEGMENT  # an eighth of the bytes

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK) as folder:
        yield folder


def test_a_result_larger_than_the_disk_reaches_its_reader_whole(disk: Path) -> None:
    tape = Tape(disk, len(BYTES), nothing)
    with opened(tape) as reader:
        thread = started(lambda: produce(tape))
        assert rest(reader) == BYTES
        thread.join()
    assert not tape.has_start, "the tape would be offered to those who come later"
    tape.close()


def test_all_readers_of_such_a_result_get_it_whole(disk: Path) -> None:
    tape = Tape(disk, len(BYTES), nothing)
    got: list[bytes] = []
    readers = [opened(tape) for _ in range(3)]
    threads = [threading.Thread(target=lambda reader=reader: got.append(rest(reader))) for reader in readers]
    producer = started(lambda: produce(tape))
    for thread in threads:
        thread.start()
    for thread in [*threads, producer]:
        thread.join()
    assert got == [BYTES] * 3
    for reader in readers:
        reader.close()
    tape.close()


def test_kept_results_make_room(disk: Path) -> None:
    kept = [Tape(disk, DISK, nothing) for _ in range(2)]
    for tape in kept:
        tape.write(bytes(3 * SEGMENT))
        tape.finish()

    def drop_one() -> bool:
        if not kept:
            return False
        kept.pop(0).close()
        return True

    tape = Tape(disk, DISK, nothing, drop_one)
    with opened(tape) as reader:
        for _ in range(5):
            tape.write(b"x" * SEGMENT)
        tape.finish()
        assert rest(reader) == b"x" * 5 * SEGMENT
    assert tape.has_start
    assert len(kept) == 1, "more was dropped than was needed"
    for other in [tape, *kept]:
        other.close()


def test_a_disk_that_others_fill_is_told_and_not_waited_for(disk: Path) -> None:
    (disk / "others").write_bytes(bytes(DISK))
    tape = Tape(disk, DISK, nothing)
    with opened(tape) as reader:
        with pytest.raises(SpoolFull):
            tape.write(b"abc")
        tape.fail(SpoolFull("full"))
        with pytest.raises(SpoolFull):
            reader.read_blocking(1)
    tape.close()


@pytest.mark.parametrize(("others", "refusal"), [(6 * SEGMENT, SpoolFull), (0, AnswerTooLarge)])
def test_what_is_to_be_whole_is_refused_for_now_or_for_good_by_who_fills_the_disk(
    others: int, refusal: type[DownloadError], disk: Path
) -> None:
    (disk / "others").write_bytes(bytes(others))
    tape = Tape(disk, len(BYTES), nothing)
    with opened(tape) as reader:
        producer = started(lambda: produce(tape))
        with pytest.raises(refusal):
            asyncio.run(reader.settle())
    assert ended(producer)
    tape.close()


def test_a_folder_in_memory_is_recognised(disk: Path) -> None:
    assert is_in_memory(disk)
    assert not is_in_memory(Path("/proc"))
