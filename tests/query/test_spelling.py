"""A query as an address: what is read from it is the query again, whatever was sent."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.errors import QueryInvalid
from application.models import Column, Dialect, Query
from application.query.operators import OPERATORS
from application.query.parameters import PARAMETERS
from application.query.parsed import parse
from application.query.spelling import spelled
from tests.query.newcomer import add_first
from tests.query.test_parsed import columns_of

CSV = Dialect(",")
TABLE = pa.table(
    {
        "entity": pa.array([1], pa.int64()),
        "organisation-entity": ["122"],
        "quality": ["some"],
        "end-date": ["2024-01-01"],
        "day": pa.array([date(2024, 1, 1)]),
        "at": pa.array([datetime(2024, 1, 1)], pa.timestamp("us", "UTC")),
        "number": pa.array([1.5]),
        "flag": pa.array([True]),
        "a,b": ["x"],
        'odd "name"': ["x"],
        "entry__exact": ["x"],
        "limit": ["x"],
        "two words & more=1": ["x"],
        "-dash": ["x"],
        "": ["x"],
    }
)
# The engine names the second itself.
TWICE = pa.table([["x"], ["y"], ["z"]], names=["n", "m", "N"])


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> tuple[Column, ...]:
    return columns_of(TABLE, tmp_path_factory.mktemp("spelled") / "t.parquet")


NAMES = [name for name in TABLE.schema.names if name]
VALUES = [
    "",
    "1",
    "122",
    "some",
    "true",
    "false",
    "2024-02-29",
    "2024-03",
    "2024-02-29T01:02:03Z",
    'a,"b, c"',
]
FILTERS = st.tuples(
    st.one_of(
        st.sampled_from(NAMES),
        st.builds("{}__{}".format, st.sampled_from(TABLE.schema.names), st.sampled_from(list(OPERATORS))),
    ),
    st.one_of(st.sampled_from(VALUES), st.text(max_size=8)),
)
NAMED = st.one_of(
    st.tuples(st.sampled_from(["field", "exclude_field"]), st.sampled_from(TABLE.schema.names)),
    st.tuples(st.just("sort"), st.builds("{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(NAMES))),
    st.tuples(st.sampled_from(["limit", "offset"]), st.integers(0, 50).map(str)),
    st.tuples(st.just("period"), st.sampled_from(["current", "historical", "all"])),
    st.tuples(st.sampled_from(["bom", "header", "safe"]), st.sampled_from(["true", "false"])),
    st.sampled_from([("preset", "excel"), ("delimiter", ";"), ("delimiter", "\t"), ("line_end", "crlf")]),
)


def readable(pairs: list[tuple[str, str]], columns: tuple[Column, ...]) -> list[tuple[str, str]]:
    """The pairs that can be used together, as they come."""
    kept: list[tuple[str, str]] = []
    for pair in pairs:
        try:
            parse([*kept, pair], columns, CSV)
        except QueryInvalid:
            continue
        kept.append(pair)
    return kept


@given(st.lists(st.one_of(FILTERS, NAMED), max_size=10))
def test_a_query_is_read_from_its_own_address(
    columns: tuple[Column, ...], pairs: list[tuple[str, str]]
) -> None:
    query = parse(readable(pairs, columns), columns, CSV).query
    address = spelled(query, columns, CSV)
    assert parse(address, columns, CSV).query == query
    assert spelled(parse(address, columns, CSV).query, columns, CSV) == address


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ({}, ()),
        ({"organisation-entity": "90"}, (("organisation-entity", "90"),)),
        ({"organisation_entity": "90", "offset": "0"}, (("organisation-entity", "90"),)),
        ({"quality__exact": ""}, (("quality__exact", ""),)),
        ({"limit__exact": "x"}, (("limit__exact", "x"),)),
        ({"entity__in": "2,1"}, (("entity__in", "1,2"),)),
        ({"quality__isnull": "false"}, (("quality__notnull", "true"),)),
        ({"preset": "excel"}, (("bom", "true"), ("line_end", "crlf"))),
        ({"field": 'name,"a,b"'}, (("field", "a,b"),)),
        ({"exclude_field": "a,b"}, (("exclude_field", "a,b"),)),
    ],
)
def test_an_address_is_the_plainest_one(
    columns: tuple[Column, ...], sent: dict[str, str], address: tuple[tuple[str, str], ...]
) -> None:
    assert spelled(parse(sent.items(), columns, CSV).query, columns, CSV) == address


def test_columns_of_one_name_are_chosen_together(tmp_path: Path) -> None:
    columns = columns_of(TWICE, tmp_path / "t.parquet")
    for pairs in ([("field", "N")], [("exclude_field", "m")], [("field", "m"), ("field", "n")]):
        query = parse(pairs, columns).query
        assert parse(spelled(query, columns), columns).query == query


def test_what_is_new_in_a_query_is_taken_from_what_was_sent(
    columns: tuple[Column, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_first(monkeypatch)
    sent: list[Any] = [("first", "7"), ("quality", "some")]
    query: Query = parse(sent, columns).query
    assert set(spelled(query, columns, None, sent)) == set(sent)
    assert "first" in PARAMETERS
