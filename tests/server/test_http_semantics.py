"""Validators, lengths, digests, ranges, codings and the native file, over a real socket."""

import gzip
import hashlib
import io
import os
import shutil
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import zstandard

from application.downloads.stored import HELD_IN_MEMORY
from tests.support import tables
from tests.support.full_disk import small_disk
from tests.support.serving import SECONDS, Served, productions, serving_folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), made / "sample.parquet")
    tables.write(tables.large(), made / "large.parquet")
    return made


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    with serving_folder(root) as found:
        yield found


def of(body: bytes) -> str:
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def test_a_small_result_is_whole_before_its_headers(served: Served) -> None:
    response = served.get("/sample.csv?organisation-entity=org-1")
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["repr-digest"] == of(response.content)
    assert response.headers["accept-ranges"] == "bytes"


def test_a_large_result_streams_and_its_next_reader_gets_the_length(served: Served) -> None:
    first = served.get("/large.csv")
    assert "transfer-encoding" in first.headers
    again = served.get("/large.csv")
    assert again.headers["content-length"] == str(len(first.content))
    assert again.headers["repr-digest"] == of(first.content)
    assert again.content == first.content
    head = served.client.head("/large.csv")
    assert head.headers["content-length"] == again.headers["content-length"]


def test_one_query_has_one_e_tag_however_it_is_spelt(served: Served) -> None:
    spellings = [
        "/sample.csv?organisation-entity=org-1&quality=some&quality=authoritative",
        "/sample.csv?quality=authoritative&quality=some&organisation-entity=org-1",
        "/dataset/sample.csv?quality=some&quality=authoritative&quality=some&organisation-entity__exact=org-1",
    ]
    assert len({served.get(path).headers["etag"] for path in spellings}) == 1
    others = [
        "/sample.csv",
        "/sample.json",
        "/sample.csv?field=name",
        "/sample.csv?organisation-entity=org-2",
    ]
    assert len({served.get(path).headers["etag"] for path in [*others, spellings[0]]}) == 5


def test_a_client_that_has_the_version_gets_304_without_a_query(served: Served) -> None:
    response = served.client.head("/large.ndjson")
    for name, value in (
        ("if-none-match", response.headers["etag"]),
        ("if-modified-since", response.headers["last-modified"]),
    ):
        answer = served.get("/large.ndjson", headers={name: value})
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["etag"] == response.headers["etag"]
        # The adapter on Lambda would add one of its own, which caches would take over.
        assert answer.headers["content-type"] == response.headers["content-type"]
    assert productions() == 0


def test_another_version_than_asked_for_is_412(served: Served) -> None:
    response = served.get("/sample.csv", headers={"if-match": '"other"'})
    assert response.status_code == 412
    assert response.json()["code"] == "precondition-failed"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/sample.csv", "/sample.parquet"])
def test_ranges_of_a_whole_result_add_up_to_it(path: str, served: Served) -> None:
    whole = served.get(path)
    e_tag = whole.headers["etag"]
    half = len(whole.content) // 2
    first = served.get(path, headers={"range": f"bytes=0-{half - 1}", "if-range": e_tag})
    rest = served.get(path, headers={"range": f"bytes={half}-", "if-range": e_tag})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.headers["content-range"] == f"bytes 0-{half - 1}/{len(whole.content)}"
    assert first.content + rest.content == whole.content
    assert served.get(path, headers={"range": "bytes=-5"}).content == whole.content[-5:]
    other = served.get(path, headers={"range": "bytes=0-3", "if-range": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = served.get(path, headers={"range": "bytes=99999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"


def test_ranges_cross_the_segments_of_a_tape(served: Served) -> None:
    whole = served.get("/large.csv").content
    assert len(whole) > 16 << 20
    start = (8 << 20) - 100
    part = served.get("/large.csv", headers={"range": f"bytes={start}-{start + (8 << 20) + 200}"})
    assert part.content == whole[start : start + (8 << 20) + 201]


@pytest.mark.parametrize(
    ("coding", "decode"),
    [
        ("gzip", gzip.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
@pytest.mark.parametrize("extension", ["csv", "json", "ndjson"])
def test_codings_are_chosen_by_the_client_and_decode_to_the_same_bytes(
    extension: str, coding: str, decode: "object", served: Served
) -> None:
    for name in ("sample", "large"):
        plain = served.get(f"/{name}.{extension}")
        with served.client.stream(
            "GET", f"/{name}.{extension}", headers={"accept-encoding": f"{coding}, identity;q=0.1"}
        ) as coded:
            body = b"".join(coded.iter_raw())
        assert coded.headers["content-encoding"] == coding
        assert coded.headers["vary"] == "Accept-Encoding"
        assert coded.headers["etag"] != plain.headers["etag"]
        assert callable(decode)
        assert decode(body) == plain.content


def test_a_service_without_codings_answers_uncoded_and_advises_none(root: Path) -> None:
    with serving_folder(root, codings="off", response_max_bytes=100_000) as uncoded:
        plain = uncoded.get("/sample.csv")
        for accepted in ("gzip", "zstd, gzip;q=0.5", "*"):
            answer = uncoded.get("/sample.csv", headers={"accept-encoding": accepted})
            assert "content-encoding" not in answer.headers
            assert (answer.headers["etag"], answer.content) == (plain.headers["etag"], plain.content)
        refused = uncoded.get("/sample.csv", headers={"accept-encoding": "gzip, identity;q=0"})
        assert (refused.status_code, refused.json()["code"]) == (406, "coding-unacceptable")
        assert "Accept identity" in refused.json()["detail"]
        advice = uncoded.get("/large.csv").json()
        assert (advice["code"], "accept" in advice["detail"]) == ("result-too-large", False)
    with serving_folder(root, response_max_bytes=100_000) as coding:
        assert "accept zstd or gzip" in coding.get("/large.csv").json()["detail"]


def test_where_empty_bodies_do_not_arrive_a_result_of_no_bytes_is_a_line_end(
    served: Served, root: Path
) -> None:
    target = "/sample.ndjson?organisation-entity=none"
    empty = served.get(target)
    assert (empty.status_code, empty.headers["content-length"]) == (200, "0")
    with serving_folder(root, empty_bodies=False) as filled:
        answer = filled.get(target)
        assert (answer.content, answer.headers["content-length"]) == (b"\n", "1")
        # Other bytes under another ETag, and under the manifest of that one.
        assert answer.headers["etag"] != empty.headers["etag"]
        manifest = filled.get("/datasets/sample/manifest?format=ndjson&organisation-entity=none").json()
        assert (manifest["bytes"], manifest["rows"]) == (1, 0)
        assert manifest["sha256"] == hashlib.sha256(b"\n").hexdigest()
        for other in ("/sample.ndjson", "/sample.csv?organisation-entity=none", "/sample.json"):
            assert filled.get(other).content == served.get(other).content


def test_parquet_is_not_coded_and_a_client_that_refuses_all_is_told(served: Served) -> None:
    assert (
        "content-encoding" not in served.get("/sample.parquet", headers={"accept-encoding": "gzip"}).headers
    )
    refused = served.get("/sample.csv", headers={"accept-encoding": "identity;q=0"})
    assert (refused.status_code, refused.json()["code"]) == (406, "coding-unacceptable")


def test_the_whole_parquet_is_the_stored_file(served: Served) -> None:
    root = Path(served.lifespan.settings.dataset_bucket.removeprefix("file://"))
    response = served.get("/large.parquet")
    assert response.content == (root / "large.parquet").read_bytes()
    assert response.headers["content-length"] == str(len(response.content))
    filtered = served.get("/large.parquet?entity=5")
    assert pq.read_table(io.BytesIO(filtered.content))["entity"].to_pylist() == [5]


@pytest.mark.parametrize("validator", ["etag", "last-modified"])
def test_a_range_of_a_stored_object_that_was_replaced_is_all_of_the_new_one(
    validator: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.parquet"
    tables.write(tables.sample(), path)
    with serving_folder(tmp_path, catalogue_max_age=3600) as served:
        first = served.get("/table.parquet")
        tables.write(tables.large(groups=1), path)
        stat = path.stat()
        os.utime(path, (stat.st_atime, stat.st_mtime + 5))
        headers = {"range": "bytes=0-3", "if-range": first.headers[validator]}
        again = served.get("/table.parquet", headers=headers)
        assert (again.status_code, again.content) == (200, path.read_bytes())
        assert "content-range" not in again.headers
        assert again.headers["etag"] != first.headers["etag"]
        asked = served.get("/table.parquet", headers={"range": "bytes=0-3"})
        assert (asked.status_code, asked.content) == (206, path.read_bytes()[:4])


def test_a_client_that_has_what_came_meanwhile_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    tables.write(tables.sample(), path)
    with serving_folder(tmp_path, catalogue_max_age=0) as served:
        new = served.get("/table.parquet").headers["etag"]
    kept = path.read_bytes()
    stat = path.stat()
    tables.write(tables.large(groups=1), path)
    with serving_folder(tmp_path, catalogue_max_age=3600) as served:
        assert served.get("/table.parquet").headers["etag"] != new
        part = path.with_suffix(".part")
        part.write_bytes(kept)
        os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        part.replace(path)
        response = served.get("/table.parquet", headers={"if-none-match": new})
        assert (response.status_code, response.headers["etag"]) == (304, new)


def test_all_lines_of_a_precondition_count(served: Served) -> None:
    has = served.get("/sample.csv").headers["etag"]
    lines = [("if-none-match", '"another"'), ("if-none-match", has)]
    assert served.get("/sample.csv", headers=lines).status_code == 304


def test_duckdb_reads_the_url_directly(served: Served) -> None:
    import duckdb_extension_httpfs

    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    with duckdb.connect() as database:
        database.execute(f"LOAD '{folder / 'httpfs.duckdb_extension'}'")
        found = database.execute(
            f"SELECT count(*), max(entity) FROM read_parquet('{served.url}/large.parquet')"
        ).fetchone()
    assert found == (12 * tables.GROUP_ROWS, 12 * tables.GROUP_ROWS - 1)


def old_client(served: Served, path: str) -> bytes:
    """All that an HTTP/1.0 client is sent."""
    with socket.create_connection(("127.0.0.1", served.port), SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(1 << 20):
            data += piece
    return data


def test_an_http_1_0_client_gets_the_whole_with_its_length_or_a_status(tmp_path: Path) -> None:
    tables.write(tables.large(), tmp_path / "good.parquet")
    tables.write(tables.large(), tmp_path / "bad.parquet")
    tables.spoil(tmp_path / "bad.parquet", 8)
    with serving_folder(tmp_path) as served:
        head, _, body = old_client(served, "/good.csv").partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.lower()
        assert body == served.get("/good.csv").content
        assert b" 500 " in old_client(served, "/bad.csv").split(b"\r\n")[0]


def test_where_an_abort_cannot_be_seen_every_result_is_whole_first(tmp_path: Path) -> None:
    tables.write(tables.large(), tmp_path / "good.parquet")
    tables.write(tables.large(), tmp_path / "bad.parquet")
    tables.spoil(tmp_path / "bad.parquet", 8)
    with serving_folder(tmp_path, whole_results=True) as served:
        good = served.get("/good.json")
        assert good.headers["content-length"] == str(len(good.content))
        assert good.headers["repr-digest"] == of(good.content)
        assert served.get("/bad.json").status_code == 500
    with serving_folder(tmp_path, whole_results=True, spool_dir="off") as served:
        refused = served.get("/good.json")
        assert (refused.status_code, refused.json()["code"]) == (413, "result-too-large")
        assert "field=NAME" in refused.json()["detail"]


def test_a_stored_object_that_is_held_whole_lies_nowhere_but_in_the_spool(tmp_path: Path) -> None:
    tables.write(tables.large(), tmp_path / "large.parquet")
    stored = (tmp_path / "large.parquet").read_bytes()
    assert len(stored) > HELD_IN_MEMORY
    with serving_folder(tmp_path, spool_dir="off") as served:
        assert b" 413 " in old_client(served, "/large.parquet").split(b"\r\n")[0]
    with small_disk(tmp_path / "disk", 16 << 20) as disk, serving_folder(tmp_path, spool_dir=disk) as served:
        tables.write(tables.large(4), tmp_path / "other.parquet")
        assert served.get("/other.csv").status_code == 200
        assert shutil.disk_usage(disk).free < len(stored), "what is kept must be in the way"
        assert old_client(served, "/large.parquet").endswith(b"\r\n\r\n" + stored)


@pytest.mark.parametrize(("path", "code"), [("/large.csv", "spool-full"), ("/large.parquet", "spool-full")])
def test_a_disk_that_is_full_for_now_is_told_as_such(tmp_path: Path, path: str, code: str) -> None:
    tables.write(tables.large(), tmp_path / "large.parquet")
    with small_disk(tmp_path / "disk", 80 << 20) as disk, serving_folder(tmp_path, spool_dir=disk) as served:
        others = disk / "others"
        others.write_bytes(bytes(72 << 20))
        refused = old_client(served, path)
        assert b" 503 " in refused.split(b"\r\n")[0]
        assert f'"code": "{code}"'.encode() in refused
        assert b"retry-after: " in refused.lower()
        others.unlink()
        assert b" 200 " in old_client(served, path).split(b"\r\n")[0]


@pytest.mark.parametrize("path", ["/large.csv", "/large.parquet"])
def test_what_would_not_fit_a_disk_of_its_own_is_too_large(tmp_path: Path, path: str) -> None:
    tables.write(tables.large(), tmp_path / "large.parquet")
    with small_disk(tmp_path / "disk", 9 << 20) as disk, serving_folder(tmp_path, spool_dir=disk) as served:
        refused = old_client(served, path)
        assert b" 413 " in refused.split(b"\r\n")[0]
        assert b'"code": "result-too-large"' in refused


def test_without_a_spool_results_are_the_same_bytes(tmp_path: Path, served: Served) -> None:
    tables.write(tables.large(), tmp_path / "large.parquet")
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path, spool_dir="off") as bare:
        for path in ("/large.csv", "/sample.json", "/large.json?entity=7"):
            assert bare.get(path).content == served.get(path).content
