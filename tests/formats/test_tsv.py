"""Tab-separated values: read back by those who know quotes, and split at tabs by those who do not."""

import csv
import io
import subprocess
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.formats.support import EVERY, picked, written

NEEDY = ["a", "", None, 'q"uote', "tab\there", "line\nend", "return\rhere", "\r\n", " lead", "'", "#"]
TABLE = pa.table({"text": NEEDY, "number": range(len(NEEDY)), "more": [*NEEDY[1:], NEEDY[0]]})


def test_the_csv_module_and_pandas_give_back_every_text() -> None:
    body = written("tsv", TABLE)
    rows = list(csv.reader(io.StringIO(body.decode(), newline=""), "excel-tab"))
    expected = [[row["text"] or "", str(row["number"]), row["more"] or ""] for row in TABLE.to_pylist()]
    assert rows == [TABLE.column_names, *expected]
    frame = pd.read_csv(io.BytesIO(body), sep="\t", dtype=str, keep_default_na=False)
    assert frame.to_numpy().tolist() == expected


def test_polars_tells_empty_text_from_none() -> None:
    frame = pl.read_csv(
        io.BytesIO(written("tsv", TABLE)), separator="\t", schema_overrides={"text": pl.String}
    )
    assert frame["text"].to_list() == NEEDY


def test_what_holds_no_tab_quote_or_line_end_is_cut_by_cut(tmp_path: Path) -> None:
    texts = ["name, full", "Mill Lane", "it's", "a;b", "é漢🌳", "\\N", " lead"]
    (tmp_path / "t.tsv").write_bytes(written("tsv", pa.table({"n": range(7), "t": texts, "d": [1.5] * 7})))
    done = subprocess.run(["cut", "-f", "2", tmp_path / "t.tsv"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["t", *texts]


def test_a_blank_line_is_never_a_row() -> None:
    assert written("tsv", pa.table({"a": [None, "", "b"]})) == b'a\n""\n""\nb\n'


@pytest.mark.parametrize("kind", EVERY)
def test_every_type_has_the_text_that_it_has_in_csv(kind: str) -> None:
    values = range(10)
    table = pa.table({"row": pa.array(values), kind: picked(kind, values)})
    both = [
        list(csv.reader(io.StringIO(written(extension, table).decode(), newline=""), delimiter=delimiter))
        for extension, delimiter in (("csv", ","), ("tsv", "\t"))
    ]
    assert both[0] == both[1]
    assert len(both[0]) == len(values) + 1


def test_a_columns_name_is_quoted_as_text_is() -> None:
    table = pa.table({'a\t"b"': ["x"], "plain": ["y"], "": ["z"]})
    assert written("tsv", table) == b'"a\t""b"""\tplain\t""\nx\ty\tz\n'
