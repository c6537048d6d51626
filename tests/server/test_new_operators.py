"""Rows of the table of operators, those that there are and naive ones, over every type: never a 500."""

from collections.abc import Callable, Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from application.models import Column
from application.query.operators import OPERATORS, Operator, own_value
from tests.support import tables
from tests.support.serving import Served, serving_folder

UUID = "6f1e2a34-0000-4000-8000-1234567890ab"
# A column of each type that has a grammar, and a value for a URL.
TYPES: dict[str, tuple[pa.Array, str]] = {
    "int8": (pa.array([1, 2, None], pa.int8()), "1"),
    "uint64": (pa.array([1, 2, None], pa.uint64()), "1"),
    "decimal": (pa.array([Decimal("1.50"), Decimal(2), None], pa.decimal128(9, 2)), "1.5"),
    "half": (pa.array([1.5, 2, None], pa.float16()), "1.5"),
    "double": (pa.array([1.5, float("nan"), None]), "1.5"),
    "boolean": (pa.array([True, False, None]), "true"),
    "date": (pa.array([date(2024, 2, 29), date(1, 1, 1), None]), "2024-02-29"),
    "time": (pa.array([time(1, 2), time(3, 4), None], pa.time64("us")), "01:02"),
    "timestamp": (pa.array([1, 2, None], pa.timestamp("us")), "1970-01-01"),
    "nanoseconds": (pa.array([1, 2, None], pa.timestamp("ns")), "1970-01-01"),
    "zoned": (pa.array([1, 2, None], pa.timestamp("us", "UTC")), "1970-01-01T00:00Z"),
    "text": (pa.array(["a", "", None]), "a"),
    "dictionary": (pa.array(["a", "", None]).dictionary_encode(), "a"),
    "uuid": (
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, b"1" * 16, None], pa.binary(16))),
        UUID,
    ),
}
LISTS = pa.array([[1], [], None], pa.list_(pa.int64()))


def record(column: Column, text: str) -> tuple[str, ...]:
    return tuple(value for part in text.split(",") for value in own_value(column, part))


def nothing(column: Column, text: str) -> tuple[str, ...]:
    return ()


NAIVE = {
    row.name: row
    for row in (
        Operator("at_least", "is at least", lambda column, value: f"{column} >= {value}"),
        Operator("differs", "is not", lambda column, value: f"{column} <> {value}", repeats="none of"),
        Operator("twice", "", lambda column, value: f"{column} < {value} OR {column} = {value}"),
        Operator(
            "between",
            "lies between",
            lambda column, low, high: f"{high} >= {column} AND {column} >= {low}",
            read=record,
            takes=2,
        ),
        Operator(
            "among",
            "is one of",
            lambda column, *values: f"{column} IN ({', '.join(values)})",
            read=record,
            takes=None,
        ),
        Operator("absent", "is empty", lambda column: f"{column} IS NULL", lambda kind: True, nothing, 0),
        Operator(
            "opens",
            "starts with",
            lambda column, value: f"starts_with({column}, {value})",
            applies=pa.types.is_string,
        ),
    )
}


@pytest.fixture
def naive(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in NAIVE.values():
        monkeypatch.setitem(OPERATORS, row.name, row)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dataset of all types."""
    folder = tmp_path_factory.mktemp("typed")
    columns = {name: column for name, (column, _) in TYPES.items()} | {"lists": LISTS}
    tables.write(pa.table({"row": [0, 1, 2], **columns}), folder / "typed.parquet")
    with serving_folder(folder) as served:
        yield served


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("operator", [*OPERATORS, *NAIVE])
def test_no_row_of_the_table_can_fail_on_a_type_that_it_is_for(
    operator: str, kind: str, typed: Served, naive: None
) -> None:
    row, (column, text) = OPERATORS[operator], TYPES[kind]
    asked = (f"{kind}__{operator}", {0: "", 2: f"{text},{text}"}.get(row.takes, text))
    applies = row.applies(column.type.value_type if kind == "dictionary" else column.type)
    for pairs in ([asked], [asked, asked, ("row", "0"), ("row", "2")]):
        response = typed.get("/typed.csv", params=pairs)
        assert response.status_code == (200 if applies else 422), response.text


SAMPLE = tables.sample().to_pylist()
Row = dict[str, Any]


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("entity__at_least=4", lambda row: row["entity"] >= 4),
        ("entity__at_least=4&entity__at_least=2", lambda row: row["entity"] >= 2),
        (
            "entity__at_least=2&entity__at_least=4&quality=some",
            lambda row: row["entity"] >= 2 and row["quality"] == "some",
        ),
        ("entity__differs=1", lambda row: row["entity"] != 1),
        ("entity__differs=1&entity__differs=4", lambda row: row["entity"] not in {1, 4}),
        ("entity__twice=2&quality=some", lambda row: row["entity"] <= 2 and row["quality"] == "some"),
        ("entity__twice=2&entity__twice=0", lambda row: row["entity"] <= 2),
        ("entity__between=1,3", lambda row: 1 <= row["entity"] <= 3),
        ("entity__between=4,5&entity__between=0,1", lambda row: row["entity"] in {0, 1, 4, 5}),
        ("entity__between=4,5&entity=5&entity=1", lambda row: row["entity"] == 5),
        ("entity__among=1,3", lambda row: row["entity"] in {1, 3}),
        ("entity__among=1,3&entity__among=3,5", lambda row: row["entity"] in {1, 3, 5}),
        ("name__absent=", lambda row: row["name"] is None),
        ("name__absent=&name__absent=x&entity__at_least=3", lambda row: row["entity"] == 3),
        ("name__opens=t&name__opens=o", lambda row: (row["name"] or "")[:1] in {"t", "o"}),
    ],
)
def test_naive_rows_choose_what_they_say(
    query: str, meant: Callable[[Row], bool], server: Served, naive: None
) -> None:
    response = server.get(f"/sample.json?{query}")
    assert response.status_code == 200, response.text
    assert response.json() == [row for row in SAMPLE if meant(row)]


def test_values_that_are_read_together_are_told_from_those_that_are_not(server: Served, naive: None) -> None:
    queries = (
        "between=1,2&entity__between=3,4",
        "between=1,3&entity__between=2,4",
        "among=1,2,3,4",
        "among=1,2,3",
    )
    tags = {server.client.head(f"/sample.csv?entity__{query}").headers["etag"] for query in queries}
    assert len(tags) == len(queries)


def test_every_order_and_repeat_of_values_is_one_query(server: Served, naive: None) -> None:
    for operator, one, other in (("between", "1,2", "3,4"), ("among", "1,3", "3,4"), ("at_least", "1", "02")):
        pairs = [(f"entity__{operator}", one), (f"entity__{operator}", other)]
        orders = (pairs, pairs[::-1], pairs * 2)
        tags = {server.client.head("/sample.csv", params=order).headers["etag"] for order in orders}
        assert len(tags) == 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("row__between=1", "column 'row' takes 2 values with 'between', not 1"),
        ("row__between=1,2,3", "column 'row' takes 2 values with 'between', not 3"),
        ("row__between=1,x", "column 'row' holds integers, such as 122, and 'x' is not one"),
        ("row__at_least=", "column 'row' holds integers, such as 122, and '' is not one"),
    ],
)
def test_a_value_that_does_not_fit_the_operator_is_told_what_does(
    query: str, detail: str, typed: Served, naive: None
) -> None:
    response = typed.get(f"/typed.csv?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "query-invalid")
    [problem] = response.json()["errors"]
    assert problem["parameter"] == query.partition("=")[0]
    assert problem["detail"].startswith(detail)


def test_an_operator_on_another_type_is_told_which_operators_apply(typed: Served, naive: None) -> None:
    def detail(query: str) -> str:
        response = typed.get(f"/typed.csv?{query}")
        assert response.status_code == 422
        [problem] = response.json()["errors"]
        return str(problem["detail"])

    told, _, names = detail("row__opens=1").partition("; those that do are ")
    assert told == "column 'row' holds int64 values, to which 'opens' does not apply"
    assert {*names.split(", ")} >= {"exact", "at_least", "absent"}
    assert "opens" not in names
    told, _, names = detail("lists=1").partition("; those that do are ")
    assert told == "column 'lists' holds list<element: int64> values, to which 'exact' does not apply"
    assert "absent" in names
    assert "exact" not in names


def test_a_column_to_which_no_operator_applies_cannot_be_filtered(
    typed: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in set(OPERATORS) - {"exact"}:
        monkeypatch.delitem(OPERATORS, name)
    [problem] = typed.get("/typed.csv?lists=1").json()["errors"]
    assert problem["detail"] == "column 'lists' holds list<element: int64> values, which cannot be filtered"


def test_a_value_that_nobody_can_read_is_a_problem_and_no_failure(
    typed: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = Operator("near", "is near", NAIVE["at_least"].sql, read=lambda column, text: (str(int(text)),))
    monkeypatch.setitem(OPERATORS, "near", careless)
    assert typed.get("/typed.csv?row__near=x").status_code == 422


def test_a_row_whose_values_do_not_fit_its_sql_is_no_row() -> None:
    with pytest.raises(ValueError, match="'blank' leaves a value out"):
        Operator("blank", "is blank", lambda column, value: f"{column} = ''")
    with pytest.raises(ValueError, match="'first' leaves a value out"):
        Operator("first", "is", lambda column, *values: f"{column} = {values[0]}", takes=None)
    with pytest.raises(TypeError):
        Operator("between", "lies between", lambda column, low, high: f"{low}{high}")


def test_row_groups_without_the_values_are_not_read(tmp_path: Path) -> None:
    tables.write(tables.large(4), tmp_path / "rows.parquet")
    tables.spoil(tmp_path / "rows.parquet", 1)
    with serving_folder(tmp_path) as server:
        found = server.get("/rows.json?entity=19999&entity=5")
        assert [row["entity"] for row in found.json()] == [5, 19999]
        assert server.get("/rows.json?entity=20001").status_code == 500
