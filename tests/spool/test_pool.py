"""Segments are used again, never more than so many are kept, and nothing of what they held is ever read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.spool import SegmentPool, Tape, most_pooled
from application.spool.quotas import MOST_POOLED
from application.spool.segments import SEGMENT_BYTES as REAL_SEGMENT_BYTES
from tests.support.descriptors import descriptors
from tests.support.full_disk import small_disk
from tests.support.tapes import SEGMENT, nothing, opened, rest


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[SegmentPool]:
    pool = SegmentPool(tmp_path, 3)
    yield pool
    pool.close()
    assert descriptors(tmp_path) == 0


def passed(folder: Path, pool: SegmentPool, data: bytes) -> bytes:
    """What a reader gets of a tape that is written, read, and closed."""
    tape = Tape(folder, 1 << 20, nothing, pool.clear, pool=pool)
    with opened(tape) as reader:
        tape.write(data)
        tape.finish()
        got = rest(reader)
    tape.close()
    return got


def test_a_tape_gets_the_segments_of_those_before_it(tmp_path: Path, pool: SegmentPool) -> None:
    for fill in (b"a", b"b", b"c"):
        assert passed(tmp_path, pool, fill * (2 * SEGMENT + 10)) == fill * (2 * SEGMENT + 10)
        assert descriptors(tmp_path) == 3


def test_what_a_segment_held_before_is_not_read(tmp_path: Path, pool: SegmentPool) -> None:
    assert passed(tmp_path, pool, b"secret" * SEGMENT) == b"secret" * SEGMENT
    assert passed(tmp_path, pool, b"mine") == b"mine"
    assert passed(tmp_path, pool, b"x" * (SEGMENT + 1)) == b"x" * (SEGMENT + 1)


def test_no_more_are_kept_than_the_pool_takes(tmp_path: Path, pool: SegmentPool) -> None:
    passed(tmp_path, pool, bytes(10 * SEGMENT))
    assert descriptors(tmp_path) == 3


def test_a_closed_pool_keeps_nothing(tmp_path: Path, pool: SegmentPool) -> None:
    tape = Tape(tmp_path, 1 << 20, nothing, pool=pool)
    tape.write(bytes(2 * SEGMENT))
    tape.finish()
    pool.close()
    tape.close()
    assert descriptors(tmp_path) == 0


def test_a_full_disk_takes_what_the_pool_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = SEGMENT
    monkeypatch.setattr("application.spool.segments.SEGMENT_BYTES", 2 * page)
    with small_disk(tmp_path / "disk", 4 * page) as disk:
        pool = SegmentPool(disk, 10)
        small = [Tape(disk, 1 << 20, nothing, pool=pool) for _ in range(3)]
        for tape in small:
            tape.write(b"small")
            tape.finish()
        for tape in small:
            tape.close()
        assert descriptors(disk) == 3
        # Two of these segments have to grow, for which there is place once the third is gone.
        assert passed(disk, pool, b"l" * 4 * page) == b"l" * 4 * page
        assert descriptors(disk) == 2
        pool.close()
        assert descriptors(disk) == 0


@pytest.mark.parametrize(
    ("size", "files", "most"),
    [(2 << 30, 10_000, MOST_POOLED), (128 << 20, 10_000, 2), (2 << 30, 80, 10), (0, 10_000, 0)],
)
def test_the_pool_is_a_small_part_of_what_results_may_take(size: int, files: int, most: int) -> None:
    assert REAL_SEGMENT_BYTES == 8 << 20
    assert most_pooled(size, files) == most


def test_a_small_result_takes_its_own_bytes_alone(tmp_path: Path, pool: SegmentPool) -> None:
    passed(tmp_path, pool, b"a" * SEGMENT)
    tape = Tape(tmp_path, 1 << 20, nothing, pool=pool)
    tape.write(b"small")
    tape.finish()
    links = list(Path("/proc/self/fd").iterdir())
    sizes = [link.stat().st_size for link in links if str(os.path.realpath(link)).startswith(str(tmp_path))]
    assert sizes == [5]
    tape.close()
