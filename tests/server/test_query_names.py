"""How names reach columns, and what is said of those that reach none, over a real server."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.support import tables
from tests.support.serving import Served, serving_folder

NAMES = pa.table(
    {
        "entity": pa.array([1, 2, 3], pa.int64()),
        "organisation-entity": ["90", "91", None],
        "entry-date": ["2024-01-01", "2024", ""],
        "a-b": ["1", "2", "3"],
        "a_b": ["x", "y", "z"],
        "c__gte": ["p", "q", "r"],
        "c": ["1", "2", "3"],
        "limit": ["l", "m", "n"],
        "name, full": ["N", "M", None],
        "-entity": ["down", "up", ""],
        "-alone": ["3", "1", "2"],
    }
)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("named")
    tables.write(NAMES, folder / "names.parquet")
    with serving_folder(folder) as served:
        yield served


def entities(server: Served, query: str) -> list[int]:
    response = server.get(f"/names.json?field=entity&{query}")
    assert response.status_code == 200, response.text
    return [row["entity"] for row in response.json()]


def problems(server: Served, query: str) -> list[tuple[str, str]]:
    response = server.get(f"/names.csv?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "query-invalid"), response.text
    return [(problem["parameter"], problem["detail"]) for problem in response.json()["errors"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("organisation_entity=90", [1]),
        ("organisation_entity__not=90", [2, 3]),
        ("entry_date__gte=2024-01-01", [1, 2]),
        ("organisation_entity=", [1, 2, 3]),
        ("a-b=1", [1]),
        ("a_b=x", [1]),
        ("a_b__not=x", [2, 3]),
        # A column's very name goes before an operator.
        ("c__gte=q", [2]),
        ("c__gte__gte=q", [2, 3]),
        ("c__gt=1", [2, 3]),
        # A parameter goes before a column of its name.
        ("limit=2", [1, 2]),
        ("limit__exact=m", [2]),
        ("name, full=N", [1]),
        ("name, full__isnull=", [3]),
        ("sort=-alone", [2, 3, 1]),
        ("sort=--alone", [1, 3, 2]),
        ('sort="name, full",entity', [2, 1, 3]),
        ("sort=name, full", [2, 1, 3]),
        ("sort=c,-a_b&limit=1", [1]),
        ("sort=-organisation_entity", [2, 1, 3]),
    ],
)
def test_a_name_reaches_its_column(query: str, expected: list[int], named: Served) -> None:
    assert entities(named, query) == expected


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("field=name, full", ["name, full"]),
        ('field="name, full",entity', ["name, full", "entity"]),
        ("field=entity,c&field=a_b", ["entity", "c", "a_b"]),
        ("field=entry_date", ["entry-date"]),
        ("field=entity,nowhere", ["entity"]),
        ("field=entity,entity&field=entity", ["entity"]),
    ],
)
def test_fields_are_names_or_a_record_of_names(query: str, columns: list[str], named: Served) -> None:
    response = named.get(f"/names.json?limit=1&{query}")
    assert [*response.json()[0]] == columns
    assert response.headers.get("x-missing-fields") == ("nowhere" if "nowhere" in query else None)


def test_two_candidates_are_a_problem_that_names_both(named: Served, tmp_path: object) -> None:
    [(parameter, detail)] = problems(named, "sort=-entity")
    assert parameter == "sort"
    assert "'-entity' may be that column, or 'entity' from its end" in detail


def test_a_spelling_of_two_columns_is_a_problem_that_names_both(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("two")
    tables.write(pa.table({"a-b_c": ["1"], "a_b-c": ["2"]}), folder / "names.parquet")
    with serving_folder(folder) as server:
        for query in ("a_b_c=1", "a-b-c__not=1", "field=a_b_c", "sort=a_b_c", "exclude_field=a_b_c"):
            [(_, detail)] = problems(server, query)
            assert "may be 'a-b_c' or 'a_b-c': say which" in detail
        assert server.get("/names.csv?a-b_c=1").status_code == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("$limit=5", "limit=100"),
        ("rows=5", "limit=100"),
        ("page_size=5", "limit=100"),
        ("page=2", "offset=100"),
        ("$offset=5", "offset=100"),
        ("$where=x", "__OPERATOR=VALUE"),
        ("select=entity", "field=entity"),
        ("columns=entity", "field=entity"),
        ("fields=entity", "field=entity"),
        ("order_by=entity", "sort=entity or sort=-entity"),
        ("sortby=entity", "sort=-entity"),
        ("q=tree", "__icontains=WORD"),
        ("entity__ge=5", "entity__gte"),
        ("entity__le=5", "entity__lte"),
        ("entity__eq=5", "entity__exact"),
        ("entity[gte]=5", "entity__gte"),
        ("c__like=5", "c__contains"),
        ("entity=gte.5", "entity__gte=5"),
        ("entity=eq.5", "entity__exact=5"),
        ("entity=not.eq.5", "entity__not=5"),
        ("format=csv", "the extension in the path"),
        ("filter=x", "__OPERATOR=VALUE"),
    ],
)
def test_the_words_of_other_systems_are_taught_and_never_accepted(
    query: str, said: str, named: Served
) -> None:
    [(_, detail)] = problems(named, query)
    assert "here it is" in detail
    assert said in detail


def test_a_column_of_such_a_name_is_a_column(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("words")
    tables.write(pa.table({"rows": ["1", "2"], "q": ["x", "eq.5"]}), folder / "names.parquet")
    with serving_folder(folder) as server:
        assert server.get("/names.json?rows=2").json() == [{"rows": "2", "q": "eq.5"}]
        assert len(server.get("/names.json?q=eq.5").json()) == 1


def test_all_problems_of_a_request_are_told_at_once(named: Served) -> None:
    told = dict(
        problems(
            named,
            "entity=x&entity__contains=1&nowhere=1&sort=nothing&limit=-1&period=now&bom=yes&filename=a/b"
            "&delimiter=ab&line_end=cr&preset=word&offset=1.5",
        )
    )
    assert {*told} == {
        "entity",
        "entity__contains",
        "nowhere",
        "sort",
        "limit",
        "period",
        "bom",
        "filename",
        "delimiter",
        "line_end",
        "preset",
        "offset",
    }
    assert "to which 'contains' does not apply" in told["entity__contains"]
    assert "use a whole one, such as 100" in told["limit"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "names.csv"),
        ("filename=my-trees", "my-trees.csv"),
        ("filename=my.trees.csv", "my.trees.csv"),
        ("filename=Trees.CSV", "Trees.CSV"),
        ("filename=trees.json", "trees.json.csv"),
    ],
)
def test_a_download_is_saved_under_the_name_asked_for(query: str, name: str, named: Served) -> None:
    response = named.get(f"/names.csv?{query}")
    assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert response.headers["etag"] == named.get("/names.csv").headers["etag"]


@pytest.mark.parametrize("name", ["", "..", "a b", "é", 'a"b', "a/b", "a\r\nb", "x" * 151])
def test_a_name_that_no_system_keeps_is_refused(name: str, named: Served) -> None:
    assert named.get("/names.csv", params={"filename": name}).status_code == 422
