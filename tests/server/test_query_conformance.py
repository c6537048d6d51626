"""Every operator on every type, periods, order and slices, over a real server, against plain Python."""

import csv
import datetime as dt
import io
import random
import uuid
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.query.operators import OPERATORS
from tests.support import oracle, tables
from tests.support.serving import Served, serving_folder

ROWS = 240
DATES = ["2024-03", "2024", "2024-03-31", "2024-04-01", "2023-12-31", "2023", "1999-02-28", "9999-12-31", ""]
WORDS = [
    "Straße",
    "STRASSE",
    "ΟΔΟΣ",
    "οδός",
    "ſet",
    "SET",
    "",
    "İzmir",
    "a,b",
    'q"uote',
    "2024",
    "ﬁn",
    "%",
    "_a",
]
NANS = [float("nan"), float("inf"), -0.0, 0.0, 1.5, -1e300]

# A column of each type, its values, and texts to ask for.
TYPES: dict[str, tuple[pa.DataType, list[Any], list[str]]] = {
    "int8": (pa.int8(), [-128, 0, 1, 127], ["0", "-128", "100"]),
    "uint64": (pa.uint64(), [0, 1, (1 << 64) - 1], ["0", "18446744073709551615"]),
    "decimal": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal("-2.25"), Decimal(0)], ["1.5", "-2.250", "0"]),
    "half": (pa.float16(), [1.5, -2.0, float("nan")], ["1.5", "0"]),
    "double": (pa.float64(), NANS, ["1.5", "0", "-0", "1e308"]),
    "boolean": (pa.bool_(), [True, False], ["true", "false"]),
    "date": (
        pa.date32(),
        [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 3, 31)],
        ["2024-02-29", "9999-12-31", "0001-01-01"],
    ),
    "time": (pa.time64("us"), [dt.time(1, 2), dt.time(23, 59, 59, 999999)], ["01:02", "12:00"]),
    "timestamp": (
        pa.timestamp("us"),
        [dt.datetime.fromisoformat("1970-01-01"), dt.datetime.fromisoformat("2024-02-29T13:45")],
        ["1970-01-01", "2024-02-29T13:45"],
    ),
    "zoned": (
        pa.timestamp("us", "UTC"),
        [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 2, 29, tzinfo=dt.UTC)],
        ["1970-01-01T00:00+00:00", "2024-02-29T01:00+01:00"],
    ),
    "text": (pa.string(), WORDS, WORDS),
    "text-date": (pa.string(), DATES, [text for text in DATES if text]),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), ["a", "b", ""], ["a", "", "c"]),
    "uuid": (pa.uuid(), [uuid.UUID(int=1), uuid.UUID(int=1 << 127)], [str(uuid.UUID(int=1))]),
}


def made() -> pa.Table:
    """Rows of every type, with NULLs, in small row groups with statistics of their own."""
    dice = random.Random(7)
    columns: dict[str, Any] = {"row": pa.array(range(ROWS), pa.int64())}
    for name, (kind, values, _) in TYPES.items():
        # Each row group has few of the values, so that the engine may skip some.
        texts = [
            dice.choice([None, *dice.sample(values, 1), values[row // 40 % len(values)]])
            for row in range(ROWS)
        ]
        if isinstance(kind, pa.DictionaryType):
            columns[name] = pa.array(texts, kind.value_type).dictionary_encode()
        elif isinstance(kind, pa.UuidType):
            storage = pa.array([None if text is None else text.bytes for text in texts], pa.binary(16))
            columns[name] = pa.ExtensionArray.from_storage(kind, storage)
        else:
            columns[name] = pa.array(texts, kind)
    columns["end-date"] = columns["text-date"]
    columns["lists"] = pa.array([None if row % 3 else [row] for row in range(ROWS)], pa.list_(pa.int64()))
    return pa.table(columns)


TABLE = made()
PLAIN = TABLE.to_pylist()


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("typed")
    pq.write_table(TABLE, folder / "typed.parquet", row_group_size=40)
    with serving_folder(folder) as served:
        yield served


def rows(server: Served, pairs: oracle.Pairs) -> list[int]:
    response = server.get("/typed.csv", params=[*pairs, ("field", "row")])
    assert response.status_code == 200, response.text
    return [int(row["row"]) for row in csv.DictReader(io.StringIO(response.text))]


def numbers(found: list[oracle.Row]) -> list[int]:
    return [row["row"] for row in found]


@pytest.mark.parametrize("kind", [*TYPES, "lists"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_chooses_on_a_type_what_plain_python_does(
    operator: str, kind: str, typed: Served
) -> None:
    row, texts = OPERATORS[operator], TYPES[kind][2] if kind in TYPES else [""]
    own = TABLE.schema.field(kind).type
    if not row.applies(own.value_type if isinstance(own, pa.DictionaryType) else own):
        response = typed.get("/typed.csv", params={f"{kind}__{operator}": texts[0]})
        assert (response.status_code, response.json()["code"]) == (422, "query-invalid")
        return
    asked = [[text] for text in texts] + [texts[:2]] if row.takes != 0 else [[""], ["true"]]
    if operator in {"in", "notin"}:
        asked = [['"' + text.replace('"', '""') + '"' for text in some] for some in asked]
        asked.append([",".join(some[0] for some in asked[:3])])
    for some in asked:
        pairs = [(f"{kind}__{operator}", text) for text in some]
        assert rows(typed, pairs) == numbers(oracle.chosen(PLAIN, TABLE.schema, pairs)), pairs


@pytest.mark.parametrize("kind", [*TYPES, "lists"])
@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("exact", "not"),
        ("in", "notin"),
        ("contains", "notcontains"),
        ("isnull", "notnull"),
        ("isblank", "notblank"),
    ],
)
def test_a_negation_is_all_the_other_rows(positive: str, negative: str, kind: str, typed: Served) -> None:
    own = TABLE.schema.field(kind).type
    if not OPERATORS[positive].applies(own.value_type if isinstance(own, pa.DictionaryType) else own):
        return
    text = "" if OPERATORS[positive].takes == 0 else TYPES[kind][2][0]
    some, others = (rows(typed, [(f"{kind}__{operator}", text)]) for operator in (positive, negative))
    assert sorted(some + others) == list(range(ROWS))


@pytest.mark.parametrize("operator", ["isnull", "notnull", "isblank", "notblank"])
def test_false_is_the_opposite(operator: str, typed: Served) -> None:
    opposite = OPERATORS[operator].opposite
    assert rows(typed, [(f"text__{operator}", "false")]) == rows(typed, [(f"text__{opposite}", "")])
    tags = {
        typed.client.head(f"/typed.csv?text__{query}").headers["etag"]
        for query in (f"{operator}=false", f"{opposite}", f"{opposite}=true", f"{opposite}=")
    }
    assert len(tags) == 1


def test_pairs_of_filters_must_both_hold(typed: Served) -> None:
    dice = random.Random(3)
    filters = [
        (f"{kind}__{operator}", dice.choice(texts))
        for kind, (own, _, texts) in TYPES.items()
        for operator, row in OPERATORS.items()
        if row.takes == 1 and row.applies(own.value_type if isinstance(own, pa.DictionaryType) else own)
    ]
    for pair in dice.sample(list(combinations(filters, 2)), 60):
        expected = numbers(oracle.chosen(PLAIN, TABLE.schema, pair))
        # Two texts of one column and operator are any of them.
        assert rows(typed, pair) == expected, pair


@pytest.mark.parametrize("month", ["2024-03", "2024"])
def test_a_partial_date_is_a_span_of_a_date_column(month: str, typed: Served) -> None:
    for operator in ("gt", "gte", "lt", "lte"):
        pairs = [(f"date__{operator}", month)]
        assert rows(typed, pairs) == numbers(oracle.chosen(PLAIN, TABLE.schema, pairs))
    [problem] = typed.get(f"/typed.csv?date={month}").json()["errors"]
    assert "__gte" in problem["detail"]
    assert "__lte" in problem["detail"]


SORTABLE = [*TYPES]


@pytest.mark.parametrize("kind", SORTABLE)
@pytest.mark.parametrize("descending", [False, True])
def test_rows_come_sorted_with_no_value_last_and_ties_in_file_order(
    kind: str, descending: bool, typed: Served
) -> None:
    expected = numbers(oracle.ordered(PLAIN, [(kind, descending)]))
    assert rows(typed, [("sort", f"-{kind}" if descending else kind)]) == expected


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(SORTABLE), st.booleans()), max_size=3, unique_by=lambda key: key[0]),
    st.none() | st.integers(0, ROWS + 5),
    st.integers(0, ROWS + 5),
    st.sampled_from([[], [("text__notnull", "")], [("date__lte", "2024-03")], [("double__gte", "0")]]),
)
def test_order_limit_offset_and_filters_compose(
    typed: Served,
    keys: list[tuple[str, bool]],
    limit: int | None,
    offset: int,
    filters: list[tuple[str, str]],
) -> None:
    pairs = [*filters, *(("sort", f"-{key}" if down else key) for key, down in keys), ("offset", str(offset))]
    pairs += [] if limit is None else [("limit", str(limit))]
    expected = oracle.ordered(oracle.chosen(PLAIN, TABLE.schema, filters), keys)[offset:]
    assert rows(typed, pairs) == numbers(expected if limit is None else expected[:limit])


@pytest.mark.parametrize("extension", ["csv", "json", "ndjson", "parquet"])
def test_no_rows_are_a_header_and_a_schema(extension: str, typed: Served) -> None:
    response = typed.get(f"/typed.{extension}?limit=0&field=row&field=text")
    assert response.status_code == 200
    if extension == "parquet":
        assert pq.read_schema(io.BytesIO(response.content)).names == ["row", "text"]
        assert pq.read_table(io.BytesIO(response.content)).num_rows == 0
    else:
        assert response.text.split() == {"csv": ['"row","text"'], "json": ["[]"], "ndjson": []}[extension]


def test_a_period_is_by_the_day_of_the_request(typed: Served) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for period in ("current", "historical"):
        expected = [row["row"] for row in PLAIN if oracle.in_period(row["end-date"], period, today)]
        assert rows(typed, [("period", period)]) == expected
    everything = [[("period", "all")], [("period", "current"), ("period", "historical")], []]
    tags = {typed.client.head("/typed.csv", params=pairs).headers["etag"] for pairs in everything}
    assert len(tags) == 1


def test_a_dataset_without_an_end_has_no_period(tmp_path: Any) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path) as server:
        [problem] = server.get("/sample.csv?period=current").json()["errors"]
        assert problem["parameter"] == "period"
        assert "no column 'end-date'" in problem["detail"]


FILTERS = [("text", "a"), ("text__in", "a,b"), ("text__in", "b,a"), ("int8__gte", "1"), ("int8__gte", "01")]
PARAMETERS: list[tuple[str, str]] = [
    *FILTERS,
    ("sort", "row"),
    ("sort", "-row"),
    ("limit", "5"),
    ("offset", "5"),
    ("offset", "0"),
    ("period", "current"),
    ("period", "all"),
    ("field", "row"),
    ("field", "text"),
    ("exclude_field", "text"),
    ("quality", ""),
    ("filename", "x"),
]
DIALECT: list[tuple[str, str]] = [
    ("bom", "true"),
    ("delimiter", ";"),
    ("delimiter", ","),
    ("preset", "excel"),
]


# The body of each ETag that an example has had, by format.
SEEN: dict[str, dict[str, bytes]] = {}


@settings(max_examples=60)
@given(
    st.sampled_from(["csv", "json", "ndjson", "parquet"]),
    st.lists(st.sampled_from(PARAMETERS), max_size=4, unique_by=str),
    st.lists(st.sampled_from(DIALECT), max_size=1),
)
def test_answers_of_one_e_tag_are_alike_and_those_of_others_are_not(
    typed: Served, extension: str, pairs: list[tuple[str, str]], dialect: list[tuple[str, str]]
) -> None:
    seen: dict[str, bytes] = SEEN.setdefault(extension, {})
    for asked in (pairs, pairs[::-1], pairs * 2):
        more = dialect if extension == "csv" else []
        response = typed.get(f"/typed.{extension}", params=[*asked, *more])
        if response.status_code == 422:
            return  # a limit and another, or a field that is excluded
        assert response.status_code == 200, response.text
        if "etag" in response.headers:
            assert seen.setdefault(response.headers["etag"], response.content) == response.content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("text=a&int8__gte=1", "int8__gte=01&text=a&text=a"),
        ("offset=0", ""),
        ("period=all", ""),
        ("quality=&organisation_entity=", ""),
        ("filename=x", ""),
        ("sort=row&sort=row", "sort=row"),
        ("sort=row,text", "sort=row&sort=text"),
        ("sort=row&sort=-row", "sort=row"),
        ("text__in=b,a", 'text__in="a",b'),
        ("field=row,text", "field=row&field=text"),
        ("text_date=2024", "text-date=2024"),
        ("text__isnull=false", "text__notnull=true"),
    ],
)
def test_spellings_of_one_query_have_one_e_tag(one: str, other: str, typed: Served) -> None:
    tags = [typed.client.head(f"/typed.csv?{query}") for query in (one, other)]
    assert [response.status_code for response in tags] == [200, 200]
    assert len({response.headers["etag"] for response in tags}) == 1


def test_different_queries_have_different_e_tags(typed: Served) -> None:
    queries = ["", "limit=1", "limit=0", "offset=1", "limit=1&offset=1", "sort=row", "sort=-row", "sort=text"]
    queries += [
        "sort=text,row",
        "period=current",
        "period=historical",
        "bom=true",
        "delimiter=;",
        "safe=true",
    ]
    queries += ["header=false", "line_end=crlf", "text=a", "text__not=a", "text__in=a", "text__contains=a"]
    queries += [
        "text__startswith=a",
        "text__iexact=a",
        "text__gt=a",
        "text__gte=a",
        "text__isnull",
        "field=text",
    ]
    tags = [typed.client.head(f"/typed.csv?{query}").headers["etag"] for query in queries]
    assert len({*tags}) == len(queries)
