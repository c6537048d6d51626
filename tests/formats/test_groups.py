"""Groups of rows, and their dictionaries."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from application.formats.groups import Groups, in_order

SIZE, ROWS = 30_000, 5_000


@pytest.fixture
def pool() -> Iterator[pa.MemoryPool]:
    """Counts what is allocated from then on."""
    own = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(own)
    pa.set_memory_pool(counted)
    yield counted
    pa.set_memory_pool(own)


def grouped(*arrays: pa.Array) -> pa.Table:
    groups = Groups(ROWS, 1 << 30)
    found = [group for array in arrays for group in groups.add(pa.record_batch({"d": array}))]
    (group,) = [*found, *groups.rest()]
    return group


@pytest.mark.parametrize("is_ordered", [False, True])
def test_a_dictionary_has_each_value_of_the_rows_once_as_they_come(is_ordered: bool) -> None:
    indices = pa.array([4, None, 1, 3, 2, 4, 1], pa.int8())
    values = pa.array(["never", "b", None, "b", "a"])
    column = pa.DictionaryArray.from_arrays(indices, values, ordered=is_ordered)
    for pieces in ([column], [column.slice(0, 3), column.slice(3)]):
        found = in_order(grouped(*pieces)).column("d").combine_chunks()
        assert found.type == column.type
        assert found.to_pylist() == ["a", None, "b", "b", None, "a", "b"]
        assert found.dictionary.to_pylist() == ["a", "b"]
        assert found.indices.to_pylist() == [0, None, 1, 1, None, 0, 1]


def test_rows_of_a_dictionary_take_no_memory_for_their_values(pool: pa.MemoryPool) -> None:
    values = pa.array([letter * SIZE for letter in "abcdefgh"])
    indices = pa.array([row * 7 % 8 for row in range(ROWS)], pa.int32())
    group = grouped(pa.DictionaryArray.from_arrays(indices, values))
    before = pool.bytes_allocated()
    found = in_order(group)
    assert found.column("d").chunk(0).dictionary.to_pylist() == [letter * SIZE for letter in "ahgfedcb"]
    assert pool.max_memory() - before < SIZE * ROWS / 10
