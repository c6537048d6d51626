"""What words do to downloads: they are inside the file, and in its ETag."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.formats import FORMATS
from tests.support import tables
from tests.support.serving import serving_folder

TEXTS = ["plain", "é, ß", None, ""]


def say(folder: Path, name: str = "a", **members: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(members))


def test_words_are_in_generated_parquet(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "a.parquet")
    say(tmp_path, title="Trees", licence="OGL-UK-3.0", contact="a@example.org")
    with serving_folder(tmp_path) as server:
        made = server.get("/a.parquet?field=name")
        metadata = pq.read_metadata(io.BytesIO(made.content)).metadata
        assert (metadata[b"title"], metadata[b"licence"]) == (b"Trees", b"OGL-UK-3.0")
        assert json.loads(metadata[b"query"]) == {"columns": ["name"]}
        assert server.get("/datasets/a/manifest?format=csv").json()["licence"] == "OGL-UK-3.0"


@pytest.mark.parametrize("extension", [row.extension for row in FORMATS.values() if not row.geometry])
def test_an_e_tag_changes_with_the_words_that_the_file_carries_and_with_no_others(
    tmp_path: Path, extension: str
) -> None:
    tables.write(tables.sample(), tmp_path / "a.parquet")
    path = f"/a.{extension}?field=name"
    with serving_folder(tmp_path) as server:

        def seen() -> tuple[str, bytes]:
            response = server.get(path)
            return response.headers["etag"], response.content

        bare = seen()
        say(tmp_path, contact="nobody writes this into a file", key="entity")
        assert seen() == bare
        say(tmp_path, title="Trees")
        named = seen()
        # Whatever the format: where bytes change, so does the ETag, and the other way round.
        assert (named[0] == bare[0]) == (named[1] == bare[1])
        assert (named != bare) == FORMATS[extension].words
        say(tmp_path)
        assert seen() == bare


def test_words_leave_the_stored_object_and_its_e_tag_as_they_are(tmp_path: Path) -> None:
    tables.write(pa.table({"t": [b"a"]}), tmp_path / "a.parquet")
    with serving_folder(tmp_path) as server:
        before = server.get("/a.parquet")
        say(tmp_path, title="Trees", text=["t"])
        after = server.get("/a.parquet")
        assert (after.headers["etag"], after.content) == (before.headers["etag"], before.content)


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A dataset whose text columns are stored as bytes, in two parts."""
    values = [None if text is None else text.encode() for text in TEXTS]
    both = {"t": pa.array(values, pa.binary()), "n": pa.array(range(4)), "b": pa.array([b"\xff\x00"] * 4)}
    tables.write(pa.table(both), tmp_path / "a.parquet")
    for part in ("1", "2"):
        tables.write(pa.table(both), tmp_path / f"parts/{part}.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["a", "parts"])
def test_bytes_that_are_text_are_read_filtered_and_sorted_as_text(binary: Path, name: str) -> None:
    say(binary, name, text=["t"])
    times = 2 if name == "parts" else 1
    with serving_folder(binary) as server:

        def texts(query: str) -> list[str | None]:
            return [row["t"] for row in server.get(f"/{name}.json?field=t{query}").json()]

        assert texts("") == TEXTS * times
        assert texts("&t=é, ß") == ["é, ß"] * times
        assert texts("&t__startswith=pl") == ["plain"] * times
        assert texts("&sort=-t") == sorted([t for t in TEXTS * times if t is not None], reverse=True) + (
            [None] * times
        )
        made = pq.read_table(io.BytesIO(server.get(f"/{name}.parquet?field=t").content))
        assert (made.schema.field("t").type, made["t"].to_pylist()) == (pa.string(), TEXTS * times)


def test_what_is_text_is_part_of_a_querys_identity(binary: Path) -> None:
    with serving_folder(binary) as server:

        def e_tags() -> list[str]:
            paths = ("/a.csv", "/a.parquet?field=t", "/a.csv?field=n&t__notnull", "/a.csv?field=n")
            return [server.client.head(path).headers["etag"] for path in paths]

        before = e_tags()
        say(binary, text=["t"])
        after = e_tags()
        assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, False, True]
        assert server.get("/datasets/a/manifest?format=csv").json()["query"]["text"] == ["t"]


def test_bytes_that_are_no_text_are_refused_by_the_name_of_their_column(binary: Path) -> None:
    say(binary, text=["t", "b"])
    with serving_folder(binary) as server:
        problem = server.get("/a.csv")
        assert problem.status_code == 422
        assert "'b'" in problem.json()["detail"]
        assert "exclude_field=b" in problem.json()["detail"]
        assert server.get("/a.csv?exclude_field=b").status_code == 200
