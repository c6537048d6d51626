"""The catalogue over S3: what it costs in requests, and whose words are read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3.conftest import KEY, SECRET
from tests.support import tables
from tests.support.proxy import Proxy, proxying
from tests.support.s3_server import s3_server
from tests.support.serving import Served, eventually, serving

FILES, FOLDERS = 8, 2


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue") / "bucket" / "dataset"
    for number in range(FILES):
        tables.write(tables.sample(), folder / f"file-{number}.parquet")
    for number in range(FOLDERS):
        tables.write(tables.sample(), folder / f"folder-{number}/1.parquet")
    (folder / "archive").mkdir()
    (folder / "archive/notes.txt").write_text("no dataset")
    (folder / "datasets.json").write_text(json.dumps({"file-0": {"title": "The first"}}))
    (folder / "file-1.json").write_text(json.dumps({"title": "The second"}))
    return folder


@pytest.fixture
def seen(bucket: Path) -> Iterator[tuple[Served, Proxy]]:
    with (
        s3_server(bucket.parents[1], KEY, SECRET) as url,
        proxying(url) as proxy,
        serving(dataset_bucket="bucket", aws_endpoint_url=proxy.url, catalogue_max_age=0) as server,
    ):
        yield server, proxy


def asked(proxy: Proxy) -> list[bytes]:
    """The first lines of what was asked since the last look."""
    lines = [request.split(b"\r\n", 1)[0] for request in proxy.requests]
    proxy.requests.clear()
    return lines


def test_what_has_not_changed_costs_a_list_of_each_level(seen: tuple[Served, Proxy], bucket: Path) -> None:
    server, proxy = seen

    def titles() -> dict[str, str | None]:
        listed = server.get("/datasets").json()["datasets"]
        assert all(item["rows"] == 6 for item in listed)
        return {item["name"]: item.get("title") for item in listed}

    first = titles()
    assert len(first) == FILES + FOLDERS
    assert {name: title for name, title in first.items() if title} == {
        "file-0": "The first",
        "file-1": "The second",
    }
    asked(proxy)
    assert titles() == first
    again = asked(proxy)
    # Its own level, and of each folder a level, to see that it has a part, and the list of its parts.
    assert len(again) == 1 + 2 * FOLDERS + 1
    assert all(b"list-type=2" in line for line in again)
    tables.write(tables.sample(6), bucket / "file-2.parquet")
    assert titles() == first
    changed = [line for line in asked(proxy) if b"list-type=2" not in line]
    assert changed
    assert all(b"file-2.parquet" in line for line in changed)


def test_downloads_take_the_words_that_there_are(seen: tuple[Served, Proxy], bucket: Path) -> None:
    server, _ = seen
    before = server.client.head("/file-3.parquet?field=name").headers["etag"]
    (bucket / "file-3.json").write_text(json.dumps({"title": "Now"}))
    assert eventually(lambda: server.client.head("/file-3.parquet?field=name").headers["etag"] != before)
    (bucket / "file-3.json").unlink()
    assert eventually(lambda: server.client.head("/file-3.parquet?field=name").headers["etag"] == before)
