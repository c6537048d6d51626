"""Query parameters against a dataset's columns, and the rows that their SQL finds in a real Parquet file."""

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.errors import QueryInvalid
from application.models import Column, Query
from application.query.parsed import ParsedQuery, parse
from application.query.planning_data import NAMED_FILTERS
from application.query.sql import quote, to_sql

Pairs = Sequence[tuple[str, str]]

TABLE = pa.table(
    {
        "entity": pa.array([1, 2, 3, 4], pa.int64()),
        "organisation-entity": pa.array(["122", " 122 ", None, ""]),
        "quality": pa.array(["some", "authoritative", "none", None]),
        "Hectares": pa.array([1, 2, 3, None], pa.int64()).cast(pa.decimal128(21, 2)),
        'odd "name"; --': pa.array(["x", "y", "z", None]),
        "entry__exact": pa.array(["a", "b", "c", "d"]),
        "field": pa.array(["f", "g", "h", "i"]),
    }
)
TYPED = TABLE.set_column(1, "organisation-entity", pa.array([122, 123, None, -122], pa.int64()))


def columns_of(table: pa.Table, path: Path) -> tuple[Column, ...]:
    pq.write_table(table, path)
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    return tuple(
        Column(field.name, row[0], row[1], field) for field, row in zip(table.schema, described, strict=True)
    )


class Stored:
    """A table in a Parquet file, asked as the engine asks."""

    def __init__(self, table: pa.Table, path: Path) -> None:
        self.columns = columns_of(table, path)
        self._relation = f"read_parquet('{path}')"

    def parse(self, *pairs: tuple[str, str]) -> Query:
        return self.ask(*pairs).query

    def ask(self, *pairs: tuple[str, str]) -> ParsedQuery:
        return parse(pairs, self.columns)

    def entities(self, *pairs: tuple[str, str]) -> list[int]:
        sql, values = to_sql(self.parse(*pairs, ("field", "entity")), self._relation)
        with duckdb.connect() as connection:
            return [row[0] for row in connection.execute(sql, values).fetchall()]

    def problems(self, *pairs: tuple[str, str]) -> list[tuple[str, str]]:
        with pytest.raises(QueryInvalid) as caught:
            self.parse(*pairs)
        return [(problem.parameter, problem.detail) for problem in caught.value.problems]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(TABLE, tmp_path_factory.mktemp("text") / "t.parquet")


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(TYPED, tmp_path_factory.mktemp("typed") / "t.parquet")


def names(query: Query) -> list[str]:
    return [column.name for column in query.columns]


def test_an_organisation_is_found_whatever_the_columns_type(text: Stored, typed: Stored) -> None:
    assert text.entities(("organisation-entity", "122")) == [1]
    assert typed.entities(("organisation-entity", "122")) == [1]


def test_text_is_compared_as_text(text: Stored) -> None:
    assert text.entities(("organisation-entity", " 122 ")) == [2]
    for value in ("0122", "abc", "122.7", "1e2", "0x7A"):
        assert text.entities(("organisation-entity", value)) == []


@pytest.mark.parametrize("value", ["abc", "122.7", "1e2", "0x7A", " 122 ", "+122", "१२२", "122\n", "1_2"])
def test_what_is_no_integer_is_a_problem_that_says_the_column_holds_integers(
    value: str, typed: Stored
) -> None:
    [(parameter, detail)] = typed.problems(("organisation-entity", value))
    assert parameter == "organisation-entity"
    assert detail.startswith("column 'organisation-entity' holds integers, such as 122, and ")
    assert repr(value) in detail


@pytest.mark.parametrize("quality", NAMED_FILTERS["quality"].vocabulary)
def test_every_quality_has_its_name(quality: str, text: Stored) -> None:
    expected = {"some": [1], "authoritative": [2], "none": [3]}.get(quality, [])
    assert text.entities(("quality", quality)) == expected


@pytest.mark.parametrize("quality", ["Some", "good", " some", "null"])
def test_another_quality_is_told_the_qualities(quality: str, text: Stored) -> None:
    [(parameter, detail)] = text.problems(("quality", quality))
    assert parameter == "quality"
    assert ", ".join(NAMED_FILTERS["quality"].vocabulary) in detail


def test_an_empty_organisation_or_quality_is_no_filter(text: Stored, typed: Stored) -> None:
    pairs = (("organisation-entity", ""), ("quality", ""))
    for stored in (text, typed):
        assert stored.parse(*pairs) == stored.parse()
        assert stored.entities(*pairs) == [1, 2, 3, 4]


def test_an_empty_value_is_a_value_anywhere_else(text: Stored) -> None:
    assert text.entities(("organisation-entity__exact", "")) == [4]
    [(parameter, detail)] = text.problems(("entity", ""))
    assert parameter == "entity"
    assert "holds integers" in detail


def test_an_empty_field_chooses_nothing(text: Stored) -> None:
    assert text.parse(("field", ""), ("exclude_field", "")) == text.parse()


def test_repeated_values_are_any_of_them(text: Stored, typed: Stored) -> None:
    assert typed.entities(("organisation-entity", "122"), ("organisation-entity", "-122")) == [1, 4]
    assert text.entities(("quality", "some"), ("quality", ""), ("quality", "none")) == [1, 3]


def test_different_filters_must_all_hold(text: Stored) -> None:
    assert text.entities(("quality", "some"), ("organisation-entity", "122")) == [1]
    assert text.entities(("quality", "none"), ("organisation-entity", "122")) == []


def test_without_fields_every_column_is_kept_in_the_files_order(text: Stored) -> None:
    assert text.parse().columns == text.columns


def test_fields_come_in_the_order_they_were_chosen_once_each(text: Stored) -> None:
    asked = text.ask(("field", "quality"), ("field", "entity"), ("field", "quality"))
    assert names(asked.query) == ["quality", "entity"]
    assert asked.missing == ()


def test_fields_that_the_file_lacks_are_left_out_and_told(text: Stored) -> None:
    asked = text.ask(("field", "geometry"), ("field", "entity"), ("field", "ENTITY"))
    assert asked.query == text.parse(("field", "entity"))
    assert asked.missing == ("geometry", "ENTITY")


def test_when_no_chosen_field_exists_the_nearest_of_each_is_named(text: Stored) -> None:
    [(parameter, detail), (other, _)] = text.problems(("field", "entiti"), ("field", "zzz"))
    assert parameter == other == "field"
    assert detail.startswith("none of the chosen fields exists")
    assert "did you mean 'entity'?" in detail


def test_excluded_fields_are_left_out(text: Stored) -> None:
    query = text.parse(("exclude_field", "quality"), ("exclude_field", "entity"))
    assert names(query) == [name for name in TABLE.column_names if name not in {"quality", "entity"}]
    both = text.parse(("field", "field"), ("field", "entity"), ("exclude_field", "field"))
    assert names(both) == ["entity"]


def test_an_excluded_field_must_exist_and_must_leave_one(text: Stored) -> None:
    [(parameter, detail)] = text.problems(("exclude_field", "hectares"))
    assert (parameter, "did you mean 'Hectares'?" in detail) == ("exclude_field", True)
    [(parameter, detail)] = text.problems(("field", "entity"), ("exclude_field", "entity"))
    assert (parameter, "no column is left" in detail) == ("exclude_field", True)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("organisation_entiti", "organisation-entity"),
        ("Quality", "quality"),
        ("exclude-field", "exclude_field"),
        ("entiti__exact", "entity__exact"),
        ("hectares", "Hectares"),
    ],
)
def test_an_unknown_parameter_is_told_the_nearest(name: str, nearest: str, text: Stored) -> None:
    [(parameter, detail)] = text.problems((name, "1"))
    assert parameter == name
    assert f"did you mean {nearest!r}?" in detail


def test_a_parameter_like_no_other_is_told_the_columns(text: Stored) -> None:
    [(_, detail)] = text.problems(("zzzzzzzzzz", "1"))
    assert "the columns are entity, organisation-entity" in detail


def test_every_problem_is_told_at_once(typed: Stored) -> None:
    problems = typed.problems(
        ("organisation-entity", "abc"), ("nope", "1"), ("quality", "good"), ("exclude_field", "zzz")
    )
    assert sorted(name for name, _ in problems) == ["exclude_field", "nope", "organisation-entity", "quality"]


def test_a_problem_names_the_parameter_as_it_was_sent(typed: Stored) -> None:
    assert [name for name, _ in typed.problems(("organisation-entity__exact", "abc"))] == [
        "organisation-entity__exact"
    ]


def test_a_column_named_like_a_parameter_is_reached_by_its_operator(text: Stored) -> None:
    assert text.entities(("field__exact", "g")) == [2]


def test_a_column_that_ends_like_an_operator_is_itself(text: Stored) -> None:
    assert text.entities(("entry__exact", "c")) == [3]
    assert text.entities(("entry__exact__exact", "c")) == [3]


def test_a_hostile_column_name_and_value_are_only_a_name_and_a_value(text: Stored) -> None:
    assert text.entities(('odd "name"; --', "y")) == [2]
    assert text.entities(('odd "name"; --', "y' OR '1'='1")) == []
    assert quote('a"b') == '"a""b"'


def test_a_column_that_the_engine_rounds_cannot_be_filtered_but_can_be_kept() -> None:
    columns = [Column("t", "t", "TIME", pa.field("t", pa.time64("ns")), exact=False)]
    assert parse([], columns).query.columns == tuple(columns)
    with pytest.raises(QueryInvalid, match="column 't' holds"):
        parse([("t", "13:45:00")], columns)


def test_every_spelling_and_order_of_a_query_is_the_same_value(typed: Stored) -> None:
    spellings: list[Pairs] = [
        (
            ("organisation-entity", "122"),
            ("organisation-entity", "9"),
            ("quality", "some"),
            ("Hectares", "1"),
        ),
        (
            ("organisation-entity__exact", "0122"),
            ("organisation-entity", "009"),
            ("quality__exact", "some"),
            ("Hectares__exact", "01.00"),
        ),
        (
            ("organisation-entity", "122"),
            ("organisation-entity", "9"),
            ("organisation-entity", "122"),
            ("organisation-entity", ""),
            ("Hectares", "1.0"),
            ("quality", "some"),
        ),
    ]
    queries = [typed.parse(*order) for pairs in spellings[:2] for order in permutations(pairs)]
    queries.append(typed.parse(*spellings[2]))
    assert all(query == queries[0] for query in queries)
    assert len({to_sql(query, "t")[0] + repr(to_sql(query, "t")[1]) for query in queries}) == 1


def test_columns_alike_but_for_case_are_told_apart(tmp_path: Path) -> None:
    stored = Stored(pa.table({"a": ["1"], "A": ["2"], "entity": [7]}), tmp_path / "t.parquet")
    assert stored.entities(("A", "2")) == [7]
    assert stored.entities(("a", "2")) == []


def test_two_columns_of_one_name_are_both_kept_and_neither_is_filtered(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array([7]), pa.array(["2"])], ["a", "entity", "a"])
    stored = Stored(table, tmp_path / "t.parquet")
    assert stored.parse().columns == stored.columns
    query = stored.parse(("field", "entity"), ("field", "a"))
    assert [column.engine_name for column in query.columns] == ["entity", "a", "a_1"]
    assert names(stored.parse(("exclude_field", "a"))) == ["entity"]
    [(parameter, detail)] = stored.problems(("a", "1"))
    assert (parameter, "2 columns are named 'a'" in detail) == ("a", True)
