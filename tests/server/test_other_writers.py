"""What other writers put into Parquet comes out in every format as pyarrow reads it."""

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import said
from tests.support.serving import Served, serving_folder
from tests.support.writers import CASES, Case

TEXT_FORMATS = ("csv", "json", "ndjson")
FILES = {name: f"case-{place}" for place, name in enumerate(CASES)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each file as a dataset, and twice as the parts of one."""
    root = tmp_path_factory.mktemp("writers")
    for name, case in CASES.items():
        path = root / f"{FILES[name]}.parquet"
        case.write(path)
        for part in ("a", "b"):
            target = root / f"{FILES[name]}-parts/{part}.parquet"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder, log_level="CRITICAL") as served:
        yield served


def told(case: Case, extension: str, body: bytes, expected: pa.Table) -> list[dict[str, Any]]:
    """The rows of an answer as JSON values."""
    if extension == "parquet":
        return said.rows(case.read(io.BytesIO(body)))
    text = body.decode()
    if extension == "csv":
        return [
            {name: said.cell(expected, name, cell) for name, cell in row.items()} for row in said.cells(text)
        ]
    if extension == "ndjson":
        return [said.parsed(line) for line in text.splitlines()]
    found: list[dict[str, Any]] = said.parsed(text)
    return found


def shown(rows: list[dict[str, Any]], extension: str) -> list[dict[str, Any]]:
    """The rows as a format has them: JSON has no word for NaN, and CSV's is no Decimal that equals itself."""
    for row in rows:
        for name, value in row.items():
            if isinstance(value, Decimal) and value.is_nan():
                row[name] = "nan" if extension in ("csv", "parquet") else None
    return rows


@pytest.mark.parametrize("extension", [*TEXT_FORMATS, "parquet"])
@pytest.mark.parametrize("name", CASES)
def test_every_format_says_what_pyarrow_reads(
    server: Served, folder: Path, name: str, extension: str
) -> None:
    case, file = CASES[name], FILES[name]
    expected = case.read(folder / f"{file}.parquet")
    rows = shown(said.rows(expected), extension)
    answers = {
        f"/{file}.{extension}": rows,
        f"/{file}-parts.{extension}": rows + rows,
        **{f"/{file}.{extension}?{query}": rows[:1] for query in case.filters},
        **{f"/{file}-parts.{extension}?{query}": [rows[0], rows[0]] for query in case.filters},
        f"/{file}.{extension}?exclude_field=k": [
            {key: value for key, value in row.items() if key != "k"} for row in rows
        ],
    }
    for path, wanted in answers.items():
        answer = server.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert shown(told(case, extension, answer.content, expected), extension) == wanted, path
    kept = server.get(f"/{file}.parquet?exclude_field=k").content
    fields = [field for field in expected.schema if field.name != "k"]
    assert [*pq.ParquetFile(io.BytesIO(kept)).schema_arrow] == fields


@pytest.mark.parametrize("name", CASES)
def test_the_stored_object_is_served_as_it_is(server: Served, folder: Path, name: str) -> None:
    stored = (folder / f"{FILES[name]}.parquet").read_bytes()
    assert server.get(f"/{FILES[name]}.parquet").content == stored
