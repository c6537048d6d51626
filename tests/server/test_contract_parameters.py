"""What is promised of parameters and no other module holds: over a real server, against plain Python."""

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.support import oracle, tables
from tests.support.serving import SECONDS, Served, serving_folder

NAN = float("nan")
DAY = 24 * 60 * 60
AREAS = pa.table(
    {
        "entity": pa.array([1, 2, 3, 4], pa.int64()),
        "organisation-entity": ["90", "", None, "91"],
        "entry-date": pa.array([dt.date(2024, 1, 1), None, dt.date(2024, 3, 31), dt.date(2025, 1, 1)]),
        "name": ["Oak", "eq.5", None, ""],
        "quality": ["some", "", None, "usable"],
        "share": [1.5, NAN, None, -1.0],
    }
)
ENDS = ["", None, "2024", "2024-03", "2024-03-31", "2999", "2999-01", "none"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("contract")
    tables.write(AREAS, folder / "area.parquet")
    tables.write(AREAS.drop(["quality", "organisation-entity"]), folder / "bare.parquet")
    tables.write(pa.table({"row": range(len(ENDS)), "end_date": ENDS}), folder / "ends.parquet")
    tables.write(pa.table({"_x": [2, 1]}), folder / "marked.parquet")
    with serving_folder(folder, cache_max_age=2 * DAY) as server:
        yield server


def entities(server: Served, query: str, name: str = "area") -> list[int]:
    response = server.get(f"/{name}.json?field=entity&{query}")
    assert response.status_code == 200, response.text
    return [row["entity"] for row in response.json()]


def problems(server: Served, path: str) -> list[tuple[str, str]]:
    response = server.get(path)
    assert (response.status_code, response.json()["code"]) == (422, "query-invalid"), response.text
    assert response.headers["content-type"] == "application/problem+json"
    return [(problem["parameter"], problem["detail"]) for problem in response.json()["errors"]]


@pytest.mark.parametrize(
    ("query", "near"),
    [
        ("LIMIT=5", "'limit'"),
        ("ENTITY=1", "'entity'"),
        ("exclude-field=name", "'exclude_field'"),
        ("line-end=lf", "'line_end'"),
        ("NAME__icontains=a", "'name__icontains'"),
        ("nme__contains=x", "'name__contains'"),
        ("name__contans=x", "'name__contains'"),
        ("entry_date__gteq=2024", "'entry_date__gte'"),
    ],
)
def test_a_name_that_is_nothing_is_told_the_nearest_right_one(query: str, near: str, served: Served) -> None:
    [(parameter, detail)] = problems(served, f"/area.csv?{query}")
    assert parameter == query.partition("=")[0]
    assert f"did you mean {near}?" in detail


def test_where_nothing_is_near_it_is_told_what_there_is(served: Served) -> None:
    [(_, detail)] = problems(served, "/area.csv?zzz=1")
    assert detail.endswith(f"the columns are {', '.join(AREAS.column_names)}")
    [(_, detail)] = problems(served, "/area.csv?entity__foo=1")
    assert detail.endswith("its operators are exact, not, gt, gte, lt, lte, in, notin, isnull, notnull")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("entry_date__ge=2024", "entry_date__gte"),
        ("entry_date=gte.2024", "entry-date__gte=2024"),
        ("entity__gte=gte.5", "entity__gte=5"),
        ("entity=in.(1,2)", "entity__in=1,2"),
        ("entity=not.in.(1,2)", "entity__notin=1,2"),
        ("entity=is.null", "entity__isnull=true"),
        ("entity=not.is.null", "entity__notnull=true"),
    ],
)
def test_what_is_taught_is_taken(query: str, said: str, served: Served) -> None:
    [(_, detail)] = problems(served, f"/area.csv?{query}")
    assert detail.endswith(f"; here it is {said}")
    if "=" in said:
        assert served.get(f"/area.csv?{said}").status_code == 200


def test_a_word_of_another_system_that_fits_the_type_is_a_value(served: Served) -> None:
    assert entities(served, "name=eq.5") == [2]


@pytest.mark.parametrize("extension", ["json", "ndjson", "parquet"])
def test_a_manifest_refuses_what_does_not_fit_its_format(extension: str, served: Served) -> None:
    path = f"/datasets/area/manifest?format={extension}&bom=true"
    [(parameter, _)] = problems(served, path)
    assert parameter == "bom"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("organisation-entity=&quality=", [1, 2, 3, 4]),
        ("organisation_entity=&quality=some", [1]),
        ("quality=&quality=some", [1]),
        ("quality__exact=", [2]),
        ("quality__not=", [1, 3, 4]),
        ("organisation_entity__exact=", [2]),
        ("organisation-entity__in=", [2]),
        # Of any other name an empty value is one.
        ("name=", [4]),
    ],
)
def test_an_empty_value_is_no_filter_of_two_names_without_an_operator(
    query: str, expected: list[int], served: Served
) -> None:
    assert entities(served, query) == expected


def test_what_is_no_filter_needs_no_column(served: Served) -> None:
    assert entities(served, "organisation-entity=&organisation_entity=&quality=", "bare") == [1, 2, 3, 4]
    assert [name for name, _ in problems(served, "/bare.csv?quality=some&organisation_entity__exact=")] == [
        "quality",
        "organisation_entity__exact",
    ]


@pytest.mark.parametrize(
    "query", ["quality=odd", "quality__not=odd", "quality__in=some,odd", "quality__notin=odd"]
)
def test_a_quality_is_one_of_its_words(query: str, served: Served) -> None:
    [(_, detail)] = problems(served, f"/area.csv?{query}")
    assert "'odd' is no quality: use one of none, some, indicative" in detail
    assert entities(served, "quality__startswith=us") == [4]


def test_fields_of_which_none_is_there_are_told_each(served: Served) -> None:
    told = problems(served, "/area.csv?field=nme,zzz")
    assert [name for name, _ in told] == ["field", "field"]
    assert "did you mean 'name'?" in told[0][1]
    assert "'zzz'" in told[1][1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("share__gt=1", [1, 2]),
        ("share__gte=-1", [1, 2, 4]),
        ("share__lt=2", [1, 4]),
        ("share__lte=1e300", [1, 4]),
        ("share__not=1.5", [2, 3, 4]),
        ("share__notin=1.5,-1", [2, 3]),
        ("sort=share", [4, 1, 2, 3]),
        ("sort=-share", [2, 1, 4, 3]),
    ],
)
def test_nan_comes_after_all_numbers_and_null_after_everything(
    query: str, expected: list[int], served: Served
) -> None:
    assert entities(served, query) == expected


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1e3", " 1", "٣", str(1 << 63), "0" * 30 + "9" * 30, "9" * 5000]
)
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_what_is_no_number_of_rows_is_refused(name: str, text: str, served: Served) -> None:
    response = served.get("/area.csv", params={name: text})
    assert response.status_code == 422
    assert [problem["parameter"] for problem in response.json()["errors"]] == [name]


def test_numbers_of_rows_are_by_value(served: Served) -> None:
    assert entities(served, "limit=002&offset=0000000000000000000000000000000000000000000001") == [2, 3]
    assert entities(served, f"limit={(1 << 63) - 1}") == [1, 2, 3, 4]
    tags = {served.client.head(f"/area.csv?limit={text}").headers["etag"] for text in ("2", "02")}
    assert len(tags) == 1


def test_a_hyphen_before_a_name_is_an_order_and_no_spelling(served: Served) -> None:
    assert [row["_x"] for row in served.get("/marked.json?sort=_x").json()] == [1, 2]
    assert [row["_x"] for row in served.get("/marked.json?sort=-_x").json()] == [2, 1]
    [(parameter, detail)] = problems(served, "/marked.csv?sort=-x")
    assert (parameter, "did you mean '_x'?" in detail) == ("sort", True)


@pytest.mark.parametrize("period", ["current", "historical"])
def test_a_period_reaches_its_column_by_either_spelling(period: str, served: Served) -> None:
    today = dt.datetime.now(dt.UTC).date()
    expected = [row for row, ends in enumerate(ENDS) if oracle.in_period(ends, period, today)]
    found = served.get(f"/ends.json?period={period}").json()
    assert [row["row"] for row in found] == expected
    document = served.get("/datasets/ends/openapi.json").json()
    assert "period" in [item["name"] for item in document["components"]["parameters"].values()]


def test_an_answer_by_the_day_is_kept_until_midnight_at_most(served: Served) -> None:
    def age(query: str) -> int:
        return int(served.get(f"/ends.csv?{query}").headers["cache-control"].rpartition("=")[2])

    before = dt.datetime.now(dt.UTC)
    told = age("period=current")
    midnight = dt.datetime.combine(before.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    left = int((midnight - before).total_seconds())
    # The day may have ended meanwhile.
    assert left - SECONDS <= told <= left or told > DAY - SECONDS
    assert age("period=all") == 2 * DAY


def test_every_problem_of_every_kind_is_told_at_once(served: Served) -> None:
    told = problems(
        served,
        "/area.json?nme__gte=1&entity=x&entity=y&name__gt=a&sort=nme&sort=zzz&field=nme&exclude_field=zzz&limit=x"
        "&offset=1&offset=2&period=current&bom=true&safe=true&filename=..",
    )
    assert [name for name, _ in told] == [
        *("nme__gte", "entity", "entity", "field", "exclude_field", "sort", "sort", "limit", "offset"),
        *("period", "bom", "safe", "filename"),
    ]
