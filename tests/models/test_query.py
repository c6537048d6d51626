"""What a query says of itself."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.models import Column, Dataset, Dialect, Filter, Order, Period, Query
from tests.query.newcomer import Newcomer

ENTITY, NAME, NOTE = (
    Column(name, f"{name}_1", "VARCHAR", pa.field(name, pa.string())) for name in ("entity", "name", "note")
)
DATASET = Dataset(
    name="tree",
    objects=(),
    columns=(ENTITY, NAME, NOTE),
    metadata={},
    rows=3,
    row_bytes=10,
    e_tag="abc",
    last_modified=datetime(2024, 1, 1, tzinfo=UTC),
    is_folder=False,
)
WHOLE = Query(DATASET.columns)

filters = st.builds(
    Filter,
    st.sampled_from(DATASET.columns),
    st.sampled_from(["exact", "gte"]),
    st.lists(st.sampled_from(["", "1", "2", "1,2", "é"]), max_size=3).map(tuple),
)
queries = st.builds(
    Newcomer,
    st.lists(st.sampled_from(DATASET.columns), min_size=1, unique_by=id).map(tuple),
    st.lists(filters, max_size=2).map(tuple),
    st.none() | st.builds(Period, st.just(NOTE), st.sampled_from(["current", "historical"])),
    st.lists(st.builds(Order, st.sampled_from(DATASET.columns), st.booleans()), max_size=2).map(tuple),
    st.sampled_from([None, 0, 1, 10]),
    st.sampled_from([0, 1, 10]),
    st.none() | st.builds(Dialect, st.sampled_from(",;"), safe=st.booleans()),
    first=st.sampled_from([None, 0, 1, 10]),
)


def test_a_query_says_what_it_asks_for_and_nothing_that_it_does_not() -> None:
    assert WHOLE.identity() == {"columns": ["entity", "name", "note"]}
    asked = Newcomer((NAME,), (Filter(ENTITY, "exact", ("1", "2")),), first=10)
    assert asked.identity() == {
        "columns": ["name"],
        "filters": [{"column": "entity", "operator": "exact", "values": ["1", "2"]}],
        "first": 10,
    }


def test_a_field_that_asks_for_nothing_changes_no_identity() -> None:
    assert repr(Newcomer(WHOLE.columns).identity()) == repr(WHOLE.identity())


@given(queries, queries)
def test_queries_are_alike_where_their_identities_are(one: Query, other: Query) -> None:
    assert (one == other) == (repr(one.identity()) == repr(other.identity()))
    assert json.loads(json.dumps(one.identity())) == one.identity()


def test_a_value_that_an_identity_cannot_tell_is_an_error_and_no_guess() -> None:
    @dataclass(frozen=True, slots=True)
    class Odd(Query):
        what: object = None

    with pytest.raises(TypeError, match="set"):
        Odd(WHOLE.columns, what={1, 2}).identity()


@pytest.mark.parametrize(
    ("query", "is_whole", "has_all_rows", "has_all_columns"),
    [
        (WHOLE, True, True, True),
        (Newcomer(WHOLE.columns), True, True, True),
        (Query((NAME,)), False, True, False),
        (Query(WHOLE.columns[::-1]), False, True, False),
        (Query(WHOLE.columns, (Filter(NAME, "exact", ("x",)),)), False, False, True),
        (Newcomer(WHOLE.columns, first=0), False, False, False),
        (Newcomer(WHOLE.columns, first=10), False, False, False),
    ],
)
def test_what_of_a_dataset_is_there_as_it_is(
    query: Query, is_whole: bool, has_all_rows: bool, has_all_columns: bool
) -> None:
    """A field that nobody has thought of yet may change rows and columns alike."""
    assert query.is_whole(DATASET) == is_whole
    assert query.has_all_rows(DATASET) == has_all_rows
    assert query.has_all_columns(DATASET) == has_all_columns


def test_columns_are_read_that_are_not_written() -> None:
    by_note = (Filter(NOTE, "exact", ("x",)), Filter(NAME, "exact", ("y",)))
    query = Query((NAME, ENTITY), by_note)
    assert query.columns == (NAME, ENTITY)
    assert query.columns_read == (NAME, ENTITY, NOTE)
    assert Query((NAME,), order=(Order(ENTITY),)).columns_read == (NAME, ENTITY)
    assert Query((NAME,), period=Period(NOTE, "current")).columns_read == (NAME, NOTE)
