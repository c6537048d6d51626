"""Whose words a dataset has, and what becomes of wrong ones."""

import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.catalogue import Catalogue
from application.engine.database import Database
from application.engine.scan import Engine
from application.models import Label
from application.storage import open_storage
from application.telemetry import logger

SAID = {
    "title": "Trees",
    "licence": "OGL-UK-3.0",
    "columns": [{"name": "n", "description": "a number"}],
    "labels": {"n": "numbers:n:name"},
    "key": "n",
    "geometry": {"column": "place", "crs": "EPSG:27700"},
}
WRONG = [
    *({"title": 5}, {"title": "two\nlines"}, {"licence": ["OGL"]}, {"columns": {"n": "a number"}}),
    *({"columns": [{"description": "of none"}]}, {"labels": {"n": "numbers:n"}}, {"text": "n"}, {"key": 1}),
    *({"geometry": "place"}, {"licens": "OGL"}, {"description": "a\u0000b"}, {"title": "x" * 1001}),
]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """The datasets of a folder, looked at for each request."""
    storage = open_storage(f"{tmp_path}/", "")
    database = Database(storage, memory_limit="64MB", threads=1, temp_directory=None, temp_limit="1GB")
    return Catalogue(storage, Engine(storage, database), max_age=0)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of another test may have turned it down."""
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.WARNING, logger=logger.name)


def write(folder: Path, **metadata: str) -> None:
    table = pa.table({"n": [1, 2], "raw": [b"a", "é".encode()], "place": ["", ""]})
    pq.write_table(table.replace_schema_metadata(metadata or None), folder / "a.parquet")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_dataset_without_words_has_none(catalogue: Catalogue, tmp_path: Path) -> None:
    write(tmp_path)
    assert catalogue.get("a").words == type(catalogue.get("a").words)()


def test_what_is_nearer_to_the_dataset_goes_before(catalogue: Catalogue, tmp_path: Path) -> None:
    write(tmp_path, title="of the file", license="of the file", description="of the file")
    common = dict.fromkeys(("title", "licence", "description", "attribution"), "of all")
    common |= {"columns": [{"name": "n", "description": "of all"}, {"name": "raw", "description": "of all"}]}
    (tmp_path / "datasets.json").write_text(json.dumps({"a": common, "b": {"title": "another"}}))
    own = {"title": "of the dataset", "columns": [{"name": "n", "description": "of the dataset"}]}
    (tmp_path / "a.json").write_text(json.dumps(own))
    words = catalogue.get("a").words
    assert (words.title, words.licence, words.description, words.attribution) == (
        *("of the dataset", "of the file", "of the file"),
        "of all",
    )
    assert words.columns == {"n": "of the dataset", "raw": "of all"}


def test_the_words_of_a_dataset_are_those_that_are_there_now(catalogue: Catalogue, tmp_path: Path) -> None:
    write(tmp_path)
    first = catalogue.get("a")
    (tmp_path / "a.json").write_text(json.dumps(SAID))
    second = catalogue.get("a")
    (tmp_path / "a.json").unlink()
    assert (first.words.title, second.words.title, catalogue.get("a").words.title) == ("", "Trees", "")
    assert second.words.labels == {"n": Label("numbers", "n", "name")}
    assert (second.words.key, second.words.geometry, second.words.crs) == ("n", "place", "EPSG:27700")
    assert second.e_tag == first.e_tag, "words are no version of the data"


@pytest.mark.parametrize("name", ["datasets.json", "a.json"])
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_word_is_told_once_and_costs_no_other(
    catalogue: Catalogue,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    wrong: dict[str, object],
) -> None:
    write(tmp_path)
    said = {"publisher": "A Council", **wrong}
    (tmp_path / name).write_text(json.dumps({"a": said} if name == "datasets.json" else said))
    for _ in range(3):
        words = catalogue.get("a").words
        assert words == type(words)(publisher="A Council")
    (warning,) = warnings(caplog)
    assert name in warning
    assert next(iter(wrong)) in warning


@pytest.mark.parametrize("text", ["{", "[]", "7", '"\\ud800"', "[" * 100_000, '{"a": [1]}', "\ufffe{}"])
@pytest.mark.parametrize("name", ["datasets.json", "a.json"])
def test_what_is_no_description_is_told_once_and_left_out(
    catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    write(tmp_path, title="of the file")
    (tmp_path / name).write_text(text)
    assert {catalogue.get("a").words.title for _ in range(3)} == {"of the file"}
    assert len(warnings(caplog)) == 1


def test_a_wrong_key_value_is_told_once_and_left_out(
    catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, title="of the file", columns="no JSON", labels='{"n": 5}', text='["raw"]')
    assert {catalogue.get("a").words.title for _ in range(3)} == {"of the file"}
    assert catalogue.get("a").words.text == ("raw",)
    assert len(warnings(caplog)) == 2


def test_words_about_columns_that_are_not_there_are_told_and_left_out(
    catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"key": "gone", "text": ["n", "missing"], "title": "T"}))
    words = catalogue.get("a").words
    assert (words.key, words.text, words.title) == ("", (), "T")
    assert len(warnings(caplog)) == 3


def test_a_dataset_named_datasets_has_no_sidecar(catalogue: Catalogue, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "a.parquet").rename(tmp_path / "datasets.parquet")
    (tmp_path / "datasets.json").write_text(json.dumps({"title": {"title": "x"}, "datasets": {"title": "y"}}))
    assert catalogue.get("datasets").words.title == "y"
