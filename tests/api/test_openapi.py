"""The API's documents: all of the tables is in them, they are valid, and what they describe is taken."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from application.api.middleware.cors import EXPOSED
from application.api.openapi.answers import codes
from application.api.openapi.headers import ANSWER_HEADERS, REQUEST_HEADERS
from application.api.openapi.parameters import MOST_FILTERS
from application.client.contract import FORM, KEY_HEADER
from application.formats import FORMATS
from application.main import create_app
from application.models import Column, Geometry, Shape
from application.query.operators import OPERATORS
from application.query.parameters import PARAMETERS
from application.query.parsed import parse
from application.query.planning_data import NAMED_FILTERS
from application.query.schemas import bound_schema, record_schema, value_schema
from application.query.values import ValueProblem
from application.settings import Settings
from tests.support import tables

Document = dict[str, Any]
ROOT = Path(__file__).parents[2]

# Those of datasets without geometry.
PLAIN = {name: row for name, row in FORMATS.items() if not row.geometry}
TYPED = pa.table(
    {
        "entity": pa.array([1], pa.int32()),
        "area": pa.array([1], pa.int64()).cast(pa.decimal128(21, 2)),
        "share": pa.array([1.5], pa.float32()),
        "is-listed": pa.array([True]),
        "quality": pa.array(["some"]),
        "word": pa.array(["x"]).dictionary_encode(),
        "start-date": pa.array([1], pa.date32()),
        "end-date": pa.array(["2024-03"]),
        "at": pa.array([1], pa.timestamp("us", "UTC")),
        "tags": pa.array([["a"]]),
    }
)
# Names that mean something else, as another column, as a parameter, as a path, or as JSON.
HOSTILE = (
    *("x", "-x", "x__gt", "x__exact", "limit", "limit__exact", "format", "$ref", "#/components", "{dataset}"),
    *("a_b", "a-b", "name, full", 'quo"te', "\n", "", " ", "é", "filters", "https://x.test/?a=1&b=2", "~0~1"),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("described")
    tables.write(TYPED, root / "typed.parquet")
    names = [pa.array([place], pa.int64()) for place, _ in enumerate(HOSTILE)]
    tables.write(pa.Table.from_arrays(names, list(HOSTILE)), root / "hostile.parquet")
    wide = {f"column-{number}": pa.array([number], pa.int32()) for number in range(200)}
    tables.write(pa.table(wide), root / "wide.parquet")
    many = {f"column-{number}": pa.array([number], pa.int32()) for number in range(8000)}
    tables.write(pa.table(many), root / "many.parquet")
    tables.write(pa.table({"tags": pa.array([["a"]])}), root / "lists.parquet")
    settings = {"dataset_bucket": root.as_uri(), "dataset_prefix": "", "api_key": "a-key-of-the-tests"}
    with TestClient(create_app(Settings(environment="development", **settings))) as found:
        found.headers[KEY_HEADER] = "a-key-of-the-tests"
        yield found


def document(client: TestClient, path: str) -> Document:
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


@pytest.fixture(scope="module")
def whole(client: TestClient) -> Document:
    return document(client, "/openapi.json")


@pytest.fixture(scope="module")
def typed(client: TestClient) -> Document:
    return document(client, "/datasets/typed/openapi.json")


def parameters(of: Document, path: str, method: str = "get") -> dict[str, Document]:
    """The parameters of an operation in the address, by name."""
    item = of["paths"][path]
    listed = [*item.get("parameters", ()), *item[method]["parameters"]]
    found = [resolved(of, each) for each in listed]
    assert len({(each["name"], each["in"]) for each in found}) == len(found)
    return {each["name"]: each for each in found}


def resolved(of: Document, item: Document) -> Document:
    for part in item.get("$ref", "").split("/")[1:]:
        of = of[part]
    return of if "$ref" in item else item


def form(of: Document, path: str) -> Document:
    return resolved(of, of["paths"][path]["post"]["requestBody"])["content"][FORM]


@pytest.mark.parametrize("name", ["", "typed", "hostile", "wide", "lists"])
def test_a_document_is_valid(name: str, client: TestClient) -> None:
    of = document(client, f"/datasets/{name}/openapi.json" if name else "/openapi.json")
    OpenAPIV31SpecValidator(of).validate()


@pytest.mark.parametrize("method", ["get", "head"])
def test_every_parameter_is_in_the_documents_in_the_tables_words(
    method: str, whole: Document, typed: Document
) -> None:
    plain = {name: row for name, row in PARAMETERS.items() if not row.is_of_geometry}
    for of, path, rows in ((whole, "/{dataset}.{extension}", PARAMETERS), (typed, "/typed.csv", plain)):
        found = parameters(of, path, method)
        # What asks for geometry is not offered where there is none.
        assert rows.keys() == PARAMETERS.keys() & found.keys()
        for row in rows.values():
            assert found[row.name]["description"] == row.words
            assert (found[row.name]["schema"]["type"] == "array") == row.repeatable
    assert NAMED_FILTERS.keys() < parameters(whole, "/{dataset}.{extension}", method).keys()


def test_what_is_for_delimited_text_is_offered_there_alone(typed: Document) -> None:
    for extension, row in PLAIN.items():
        offered = parameters(typed, f"/typed.{extension}").keys()
        assert {name for name, item in PARAMETERS.items() if item.is_of_text and name in offered} == (
            {name for name, item in PARAMETERS.items() if item.is_of_text} if row.dialect else set()
        )


def test_every_operator_is_in_the_documents(whole: Document, typed: Document) -> None:
    words = parameters(whole, "/{dataset}.{extension}")["filters"]["description"]
    offered = parameters(typed, "/typed.csv")
    for name, row in OPERATORS.items():
        assert f"`{name}`" in words
        filters = [key for key in offered if key.rpartition("__")[2] == name or name == "exact"]
        assert filters, name
        assert any(row.words in offered[key]["description"] for key in filters)


def test_an_operator_is_offered_on_the_columns_that_it_is_for(typed: Document) -> None:
    offered = parameters(typed, "/typed.csv").keys()
    assert {"entity__gt", "word__icontains", "tags__isnull", "is-listed__not", "at__in"} <= offered
    assert not {"entity__icontains", "tags", "tags__in", "is-listed__gt", "entity__isblank"} & offered


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("entity", {"type": "integer", "minimum": -(1 << 31), "maximum": (1 << 31) - 1}),
        ("is-listed", {"type": "boolean"}),
        ("word", {"type": "string"}),
        (
            "quality",
            {"type": "string", "enum": ["", *NAMED_FILTERS["quality"].vocabulary]},
        ),
    ],
)
def test_a_filter_has_the_type_of_its_column(name: str, schema: Document, typed: Document) -> None:
    for path in ("/typed.csv", "/typed.parquet", "/datasets/typed/manifest"):
        assert parameters(typed, path)[name]["schema"] == {"type": "array", "items": schema}


def test_columns_are_named_where_columns_are_chosen(typed: Document) -> None:
    offered = parameters(typed, "/typed.json")
    assert offered["field"]["schema"]["items"]["enum"] == TYPED.column_names
    excluded = Draft202012Validator(offered["exclude_field"]["schema"])
    assert excluded.is_valid(TYPED.column_names[1:] * 2)
    assert not excluded.is_valid(TYPED.column_names[::-1])
    sortable = [name for name in TYPED.column_names if name != "tags"]
    assert offered["sort"]["schema"]["items"]["enum"] == [*sortable, *(f"-{name}" for name in sortable)]


def test_a_form_has_the_parameters_of_the_address(typed: Document) -> None:
    for extension in PLAIN:
        in_address = {
            name: item["schema"]
            for name, item in parameters(typed, f"/typed.{extension}").items()
            if item["in"] == "query"
        }
        content = form(typed, f"/typed.{extension}")
        assert content["schema"]["properties"] == in_address
        assert content["schema"]["additionalProperties"] is False
        assert content["encoding"]["entity__in"] == {"style": "form", "explode": False}


def test_every_format_is_in_the_documents(whole: Document, typed: Document) -> None:
    extension = parameters(whole, "/{dataset}.{extension}")["extension"]
    assert extension["schema"]["enum"] == list(FORMATS)
    for name, row in FORMATS.items():
        assert row.use in extension["description"]
        assert (f"/typed.{name}" in typed["paths"]) == (name in PLAIN)
        if name not in PLAIN:
            continue
        content = typed["paths"][f"/typed.{name}"]["get"]["responses"]["200"]["content"]
        assert list(content) == [row.media_type]
    content = whole["paths"]["/{dataset}.{extension}"]["get"]["responses"]["200"]["content"]
    assert content.keys() == {row.media_type for row in FORMATS.values()}
    assert parameters(whole, "/datasets/{dataset}/manifest")["format"]["schema"]["enum"] == list(FORMATS)


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_every_problem_is_in_the_documents_with_its_status(
    method: str, whole: Document, typed: Document
) -> None:
    for of, path in ((whole, "/{dataset}.{extension}"), (typed, "/typed.csv")):
        responses = of["paths"][path][method]["responses"]
        for status, known in codes().items():
            if status == 415 and method != "post":
                assert str(status) not in responses
                continue
            answer = resolved(of, responses[str(status)])
            assert all(f"`{code}`" in answer["description"] for code in known)
            (content,) = answer["content"].values()
            assert content["schema"]["allOf"][1] == {"properties": {"code": {"enum": known}}}
        assert of["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(
            code for known in codes().values() for code in known
        )


def documented(title: str) -> dict[str, str]:
    """The header fields of a table of docs/api.md, with what their row says of where they are."""
    table = (ROOT / "docs/api.md").read_text().partition(f"| {title} ")[2].partition("\n\n")[0]
    found = {}
    for cell, where in re.findall(r"^\| (.+?) \| (.+?) \|", table, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", cell), where)
    return found


def test_every_header_of_an_answer_is_in_the_documents_and_the_docs(whole: Document) -> None:
    rows = {row.name: row for row in ANSWER_HEADERS}
    # Which OpenAPI says by the content.
    assert rows.keys() | {"Content-Type"} == documented("response header").keys()
    assert set(EXPOSED) <= rows.keys()
    answers = whole["paths"]["/{dataset}.{extension}"]
    for name, row in rows.items():
        assert whole["components"]["headers"][name]["description"] == row.words
        for status in row.statuses:
            found = [
                each["responses"].get(str(status), {}) for key, each in answers.items() if key != "parameters"
            ]
            assert any(name in resolved(whole, each).get("headers", {}) for each in found), (name, status)


def test_every_header_of_a_request_is_in_the_documents_and_the_docs(whole: Document) -> None:
    rows = {row.name: row for row in REQUEST_HEADERS}
    assert rows.keys() | {KEY_HEADER} == documented("request header").keys()
    for name, row in rows.items():
        for method in ("get", "head", "post"):
            is_there = name in parameters(whole, "/{dataset}.{extension}", method)
            assert is_there == (method in row.methods)
    key = whole["components"]["securitySchemes"]["key"]
    assert (key["type"], key["in"], key["name"]) == ("apiKey", "header", KEY_HEADER)
    assert whole["security"] == [{"key": []}]
    assert whole["paths"]["/health"]["get"]["security"] == []


def test_answers_have_the_headers_that_their_document_says_are_always_there(
    client: TestClient, typed: Document
) -> None:
    always = {row.name: row for row in ANSWER_HEADERS if row.always}
    for path, status in (
        ("/typed.csv", 200),
        ("/typed.csv?nothing=1", 422),
        ("/typed.txt", 404),
        ("/nothing.csv", 404),
    ):
        response = client.get(path)
        assert response.status_code == status
        for name, row in always.items():
            if status in row.statuses or not row.statuses:
                assert name in response.headers, (path, name)


def test_a_document_of_thousands_of_columns_can_be_read(client: TestClient) -> None:
    response = client.get("/datasets/many/openapi.json")
    assert len(response.content) < 4 << 20
    of = response.json()
    offered = parameters(of, "/many.csv")
    assert len(offered) < 50
    members = offered["filters"]["schema"]["properties"]
    assert len(members) == 8000 > MOST_FILTERS
    assert members["column-7"]["items"]["type"] == "integer"
    assert len(offered["field"]["schema"]["items"]["enum"]) == 8000


def test_every_filter_that_is_offered_reaches_its_column(client: TestClient) -> None:
    of = document(client, "/datasets/hostile/openapi.json")
    reached = set()
    for name, item in parameters(of, "/hostile.json").items():
        if item["in"] != "query" or not item["description"].startswith("rows whose "):
            continue
        column = item["description"].removeprefix("rows whose ").rpartition(" is this")[0]
        if not item["description"].endswith(" is this"):
            continue
        place = HOSTILE.index(column)
        for value, count in ((place, 1), (place + 100, 0)):
            response = client.get(f"/hostile.json?{urlencode({name: value})}")
            assert response.status_code == 200, (name, response.text)
            assert len(response.json()) == count, name
        reached.add(column)
    # `limit` is a parameter, and `limit__exact` is another column.
    assert reached == set(HOSTILE) - {"limit", "x__exact"} | {"x__exact"}


def test_a_column_named_as_the_manifests_own_parameter_has_another_name_there(client: TestClient) -> None:
    of = document(client, "/datasets/hostile/openapi.json")
    assert "format" in parameters(of, "/hostile.csv")
    offered = parameters(of, "/datasets/hostile/manifest")
    assert offered["format"]["schema"]["enum"] == list(FORMATS)
    place = HOSTILE.index("format")
    response = client.get(f"/datasets/hostile/manifest?format=csv&format__exact={place}")
    assert ("format__exact" in offered, response.json()["rows"]) == (True, 1)


def test_every_order_that_is_offered_is_one(client: TestClient) -> None:
    of = document(client, "/datasets/hostile/openapi.json")
    offered = parameters(of, "/hostile.csv")["sort"]["schema"]["items"]["enum"]
    assert {"x__gt", "-name, full", "--x"} <= set(offered)
    assert "-x" not in offered
    for text in offered:
        assert client.get(f"/hostile.csv?{urlencode({'sort': text})}").status_code == 200, text


def test_without_a_column_that_has_an_order_there_is_no_sort(client: TestClient) -> None:
    assert "sort" not in parameters(document(client, "/datasets/lists/openapi.json"), "/lists.csv")


def test_a_document_of_no_dataset_is_a_problem(client: TestClient) -> None:
    response = client.get("/datasets/nothing/openapi.json")
    assert (response.status_code, response.json()["code"]) == (404, "dataset-not-found")


KINDS = (
    *(pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
    *(pa.decimal128(9, 2), pa.decimal128(5, 5), pa.decimal128(38, 0), pa.decimal256(60, 20)),
    *(pa.bool_(), pa.date32(), pa.time32("ms"), pa.time64("us"), pa.string(), pa.uuid()),
    *(pa.timestamp("us"), pa.timestamp("ms"), pa.timestamp("ns"), pa.timestamp("us", "UTC")),
    pa.timestamp("ns", "Europe/London"),
    pa.dictionary(pa.int32(), pa.string()),
)


def column(kind: pa.DataType, name: str = "x") -> Column:
    return Column(name, name, "ANY", pa.field(name, kind))


def said(value: Any) -> str:
    """A value of JSON in a query string."""
    return value if isinstance(value, str) else json.dumps(value)


def described(schema: Document) -> st.SearchStrategy[Any]:
    """Values that a schema describes; hypothesis-jsonschema would not know our patterns any better."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    if schema["type"] == "number":
        return st.floats(schema["minimum"], schema["maximum"], allow_nan=False)
    if schema["type"] == "boolean":
        return st.booleans()
    text = st.characters(exclude_categories=("Cs",))
    if "pattern" not in schema:
        return st.text(text)
    found = st.from_regex(
        schema["pattern"].removeprefix("^").removesuffix("$"), alphabet=text, fullmatch=True
    )
    return found.filter(lambda value: len(value) <= schema.get("maxLength", len(value)))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_a_schema_describes_is_taken(kind: pa.DataType) -> None:
    rows = [row for row in OPERATORS.values() if row.applies(kind)]

    @settings(max_examples=25)
    @given(st.data())
    def taken(data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(rows))
        schema = row.schema(kind)
        if schema["type"] == "array":
            value = data.draw(st.lists(described(schema["items"]), min_size=schema["minItems"], max_size=4))
            text = ",".join(map(said, value))
        else:
            value = data.draw(described(schema))
            text = said(value)
        Draft202012Validator(schema).validate(value)
        parse([(f"x__{row.name}", text)], [column(kind)])

    taken()


TEXTS = st.one_of(
    st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,8})?", fullmatch=True),
    st.from_regex(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,7})?)?Z?", fullmatch=True
    ),
    st.from_regex(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?", fullmatch=True),
    st.sampled_from(["true", "false", "", "x", "1e5", "-0", "6F1E2A34-0000-4000-8000-1234567890ab"]),
    st.text(st.characters(exclude_categories=("Cs",))),
)
# What the grammar takes and no schema tells: zeros at the ends, years at the edge of a type, more digits than
# microseconds have.
TOLD_ELSEWHERE = re.compile(
    r"-?0\d.*|.*\.\d*0|0001-.*|9999-.*|1677-.*|2262-.*|.*\.\d{7,}|-?\d{4,}.*", re.DOTALL
)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ["exact", "gte"])
@settings(max_examples=25)
@given(text=TEXTS)
@example("2024-02-30")
@example("2100-02-29")
@example("2000-02-29")
@example("0000-01-01")
def test_what_a_grammar_takes_a_schema_describes(name: str, kind: pa.DataType, text: str) -> None:
    row = OPERATORS[name]
    if not row.applies(kind):
        return
    schema = row.schema(kind)
    try:
        row.values(column(kind), text)
        is_taken = True
    except ValueProblem:
        is_taken = False
    value: Any = text
    if schema["type"] in {"integer", "number", "boolean"}:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
    is_described = Draft202012Validator(schema).is_valid(value)
    if is_described and isinstance(value, str):
        assert is_taken
    is_leap = "-02-29" in text and kind == pa.timestamp("ns")
    if is_taken and not is_leap and not TOLD_ELSEWHERE.fullmatch(text):
        assert is_described


@pytest.mark.parametrize("name", PARAMETERS)
@settings(max_examples=15)
@given(data=st.data())
def test_what_the_schema_of_a_parameter_describes_is_taken(name: str, data: st.DataObject) -> None:
    columns = [column(pa.int64()), column(pa.string(), "end-date")]
    schema = PARAMETERS[name].schema(columns)
    if schema["type"] == "array":
        lists = st.lists(described(schema["items"]), max_size=4)
        items = data.draw(lists.filter(Draft202012Validator(schema).is_valid))
    else:
        items = [data.draw(described(schema))]
    Draft202012Validator(schema).validate(items if schema["type"] == "array" else items[0])
    shape = Shape(Geometry("end-date", "wkt", "EPSG:4326"), "stored")
    parse([(name, said(item)) for item in items], columns, FORMATS["csv"].dialect, shape)


def test_dates_may_be_partial_where_they_are_compared() -> None:
    assert Draft202012Validator(bound_schema(pa.date32())).is_valid("2024-03")
    assert not Draft202012Validator(value_schema(pa.date32())).is_valid("2024-03")
    assert Draft202012Validator(record_schema(pa.string())).is_valid(['"a, ""b"""', "c"])
    assert not Draft202012Validator(record_schema(pa.string())).is_valid(["a, b"])
