"""How a client may have its delimited text written, read back by Python's csv and by pandas."""

import csv
import io
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pytest

from tests.support import tables
from tests.support.serving import Served, serving_folder

TEXTS = ["plain", 'q"uote', "semi;colon", "com,ma", "tab\there", "line\nend", "", None, "é漢🌳"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "\r=1", "a=1", "1-1", "'=1", " =1"]
TABLE = pa.table(
    {
        "=name": TEXTS,
        "number": pa.array([-1, 2, 3, 4, 5, 6, 7, 8, None], pa.int64()),
        "when": pa.array([0] * 9, pa.timestamp("us")),
    }
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("dialect")
    tables.write(TABLE, folder / "texts.parquet")
    tables.write(pa.table({"f": FORMULAS, "n": pa.array([-1] * 11)}), folder / "formulas.parquet")
    with serving_folder(folder) as server:
        yield server


def body(server: Served, query: str, name: str = "texts") -> str:
    response = server.get(f"/{name}.csv?{query}")
    assert response.status_code == 200, response.text
    return response.content.decode()


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t", "~"])
@pytest.mark.parametrize(("line_end", "ends"), [("lf", "\n"), ("crlf", "\r\n")])
def test_delimiter_and_line_end_are_as_asked(
    delimiter: str, line_end: str, ends: str, served: Served
) -> None:
    response = served.get("/texts.csv", params={"delimiter": delimiter, "line_end": line_end})
    text = response.content.decode()
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    assert read[0] == TABLE.column_names
    assert [row[0] for row in read[1:]] == [text or "" for text in TEXTS]
    assert text.endswith(ends)
    # One cell has a line end of its own, which stays as it is.
    assert text.count("\r") == (len(read) if ends == "\r\n" else 0)
    assert text.count("\n") == len(read) + 1


def test_a_header_can_be_left_out(served: Served) -> None:
    assert body(served, "header=false") == body(served, "").partition("\n")[2]
    assert body(served, "header=false&limit=0") == ""
    assert body(served, "header=true") == body(served, "")


def test_a_byte_order_mark_comes_first(served: Served) -> None:
    assert body(served, "bom=true") == "\ufeff" + body(served, "")
    assert body(served, "bom=true&header=false") == "\ufeff" + body(served, "header=false")


def test_a_preset_is_what_it_means_and_gives_way(served: Served) -> None:
    def tag(query: str) -> str:
        return served.client.head(f"/texts.csv?{query}").headers["etag"]

    assert tag("preset=excel") == tag("bom=true&line_end=crlf") == tag("line_end=crlf&preset=excel")
    assert tag("preset=excel&bom=false&line_end=lf") == tag("") == tag("delimiter=,")
    assert tag("preset=excel&bom=false") == tag("line_end=crlf") != tag("")
    text = body(served, "preset=excel")
    assert text.startswith('\ufeff"=name","number","when"\r\n')
    read = pd.read_csv(io.BytesIO(text.encode()), encoding="utf-8-sig", keep_default_na=False)
    assert list(read["=name"]) == [text or "" for text in TEXTS]


def test_what_a_spreadsheet_takes_for_a_formula_is_neutralised_in_text_alone(served: Served) -> None:
    plain = list(csv.reader(io.StringIO(body(served, "", "formulas"), newline="")))
    safe = list(csv.reader(io.StringIO(body(served, "safe=true", "formulas"), newline="")))
    assert [row[0] for row in plain[1:]] == FORMULAS
    harmless = {"a=1", "1-1", "'=1"}
    assert [row[0] for row in safe[1:]] == [text if text in harmless else f"'{text}" for text in FORMULAS]
    assert {row[1] for row in safe[1:]} == {"-1"}
    assert body(served, "safe=true").startswith('"\'=name","number"')


@pytest.mark.parametrize(
    "delimiter", ["", "ab", '"', "'", "\n", "1", "a", "-", ".", ":", " ", "+", "é", "\x00"]
)
def test_a_delimiter_that_could_be_part_of_a_value_is_refused(delimiter: str, served: Served) -> None:
    response = served.get("/texts.csv", params={"delimiter": delimiter})
    assert response.status_code == 422
    assert [problem["parameter"] for problem in response.json()["errors"]] == ["delimiter"]


def test_tsv_takes_what_csv_takes_and_quotes_by_the_delimiter_in_force(served: Served) -> None:
    plain = served.get("/texts.tsv")
    assert plain.headers["content-type"] == "text/tab-separated-values"
    asked = {"delimiter": ";", "line_end": "crlf", "bom": "true", "safe": "true"}
    text = served.get("/texts.tsv", params=asked).content.decode()
    assert text.startswith("\ufeff'=name;number;when\r\nplain;-1;1970-01-01T00:00:00.000000\r\n")
    assert '\r\n"semi;colon";3;' in text
    assert "\r\ntab\there;5;" in text
    assert b'\n"tab\there"\t5\t' in plain.content
    tags = {served.client.head(f"/texts.tsv{query}").headers["etag"] for query in ("", "?delimiter=%09")}
    assert tags == {plain.headers["etag"]}


@pytest.mark.parametrize("extension", ["json", "ndjson", "parquet"])
@pytest.mark.parametrize(
    "query", ["bom=true", "delimiter=;", "header=false", "line_end=crlf", "safe=true", "preset=excel"]
)
def test_a_parameter_that_does_not_fit_the_format_is_refused(
    extension: str, query: str, served: Served
) -> None:
    response = served.get(f"/texts.{extension}?{query}")
    assert response.status_code == 422
    [problem] = response.json()["errors"]
    assert problem["parameter"] == query.partition("=")[0]
    assert "is for delimited text, csv and tsv" in problem["detail"]


@pytest.mark.parametrize("query", ["bom=1", "header=no", "safe=", "line_end=cr", "preset=word", "bom=True"])
def test_another_word_is_told_those_there_are(query: str, served: Served) -> None:
    response = served.get(f"/texts.csv?{query}")
    assert response.status_code == 422
