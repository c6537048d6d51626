"""Results that no answer can carry: refused with the numbers, or exported once and redirected to."""

import gzip
import io
import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from application.client.contract import FORM
from application.client.fetch import fetch
from application.downloads import exports, notes
from application.downloads.limits import MARGIN_SECONDS
from application.downloads.notes import Note
from application.storage.export import S3ExportStorage
from tests.support import tables
from tests.support.processes import samples
from tests.support.s3_server import s3_server
from tests.support.serving import Served, eventually, serving, serving_folder

pytestmark = pytest.mark.slow

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Buckets on a real S3 server: their folders, and the server's address."""

    datasets: Path
    exports: Path
    endpoint: str

    def exported(self) -> list[Path]:
        # Not what rclone is still writing.
        names = [path for path in self.exports.rglob("*") if path.is_file() and path.suffix != ".json"]
        return [path for path in names if "rclone_temp" not in path.name]

    def notes(self) -> list[Path]:
        return list(self.exports.rglob("*.json"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The datasets, of which each test gets copies."""
    folder = tmp_path_factory.mktemp("made")
    tables.write(tables.large(4), folder / "large.parquet")
    # More than the bucket takes at a time.
    tables.write(tables.large(12), folder / "largest.parquet")
    tables.write(tables.sample(), folder / "sample.parquet")
    shutil.copy(folder / "largest.parquet", folder / "bad.parquet")
    tables.spoil(folder / "bad.parquet", 8)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for bucket in ("data", "exports"):
        (tmp_path / bucket).mkdir()
    shutil.copytree(made, tmp_path / "data/dataset")
    with s3_server(tmp_path, KEY, SECRET, writable=True) as endpoint:
        yield Place(tmp_path / "data/dataset", tmp_path / "exports", endpoint)


@contextmanager
def exporting(place: Place, **settings: Any) -> Iterator[Served]:
    given = {
        "dataset_bucket": "data",
        "export_bucket": "exports",
        "aws_endpoint_url": place.endpoint,
        "response_max_bytes": LIMIT,
        "catalogue_max_age": 0,
    }
    with serving(**{**given, **settings}) as served:
        yield served


def patient(served: Served, path: str, **options: Any) -> httpx2.Response:
    """Ask as curl --retry does: again while there is a 503 with Retry-After."""
    last: list[httpx2.Response] = []

    def is_ready() -> bool:
        last[:] = [served.get(path, **options)]
        return last[0].status_code != 503

    assert eventually(is_ready, 30, pause=0.05), last[0].text
    return last[0]


def fetched(response: httpx2.Response) -> httpx2.Response:
    """The body that a redirect leads to, as it lies there."""
    assert response.status_code == 307
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["location"] == response.headers["location"]
    with httpx2.Client(trust_env=False, headers={"accept-encoding": "identity"}) as client:
        return client.get(response.headers["location"])


def truth(place: Place, path: str) -> bytes:
    with serving_folder(place.datasets) as plain:
        return plain.get(path).content


def test_a_workbook_beyond_the_limit_is_exported_and_a_small_one_answered(place: Place) -> None:
    with exporting(place) as served:
        path = "/large.xlsx?limit=40000"
        # Another storage has other ETags, which the second sheet tells.
        exported, other = (
            zipfile.ZipFile(io.BytesIO(body)).read("xl/worksheets/sheet1.xml")
            for body in (fetched(patient(served, path)).content, truth(place, path))
        )
        assert exported == other
        assert served.get("/sample.xlsx").status_code == 200


def test_a_result_beyond_the_limit_is_refused_with_the_numbers(place: Place) -> None:
    with exporting(place, export_bucket=None) as served:
        whole = truth(place, "/large.csv")
        response = served.get("/large.csv")
        assert (response.status_code, response.json()["code"]) == (413, "result-too-large")
        detail = response.json()["detail"]
        assert f"{len(whole):,} bytes" in detail
        assert f"{LIMIT:,}" in detail
        assert "gzip" in detail
        assert "field=" in detail
        assert served.get("/large.csv?entity=7").status_code == 200
        some = served.get("/large.csv", headers={"range": "bytes=100-199"})
        assert (some.status_code, some.content) == (206, whole[100:200])


def test_a_stored_object_beyond_the_limit_is_refused_and_its_ranges_are_not(place: Place) -> None:
    stored = (place.datasets / "large.parquet").read_bytes()
    with exporting(place, export_bucket=None) as served:
        response = served.get("/large.parquet")
        assert response.status_code == 413
        assert f"{len(stored):,} bytes" in response.json()["detail"]
        assert "range" in response.json()["detail"]
        some = served.get("/large.parquet", headers={"range": "bytes=-1000"})
        assert (some.status_code, some.content) == (206, stored[-1000:])
        assert served.get("/sample.parquet").content == (place.datasets / "sample.parquet").read_bytes()


def test_head_beyond_the_limit_is_refused_as_get_is(place: Place) -> None:
    with exporting(place, export_bucket=None) as served:
        assert served.client.head("/large.parquet").status_code == 413
        assert served.client.head("/large.csv").status_code == 200, "nobody knows its size yet"
        assert served.get("/large.csv").status_code == 413
        assert served.client.head("/large.csv").status_code == 413
        assert served.client.head("/large.parquet?exclude_field=entity").status_code == 413
        assert served.client.head("/sample.parquet").status_code == 200


def test_without_exports_an_answer_promises_no_ranges_of_a_query(place: Place) -> None:
    with exporting(place, export_bucket=None) as served:
        for path in ("/sample.csv", "/sample.parquet?entity=1"):
            answers = [served.get(path), served.client.head(path)]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert all(answer.headers["content-length"] for answer in answers)
            assert not any("accept-ranges" in answer.headers for answer in answers)
        assert served.client.head("/sample.parquet").headers["accept-ranges"] == "bytes"


def test_head_and_ranges_of_a_result_lead_to_its_export_the_first_time(place: Place) -> None:
    with exporting(place) as served, httpx2.Client(trust_env=False) as client:
        for path in ("/sample.parquet?entity=1", "/large.parquet?exclude_field=entity"):
            head = served.client.head(path)
            assert (head.status_code, head.headers["cache-control"]) == (307, "no-store")
            told = client.head(head.headers["location"])
            part = served.get(path, headers={"range": "bytes=-4"})
            assert (told.status_code, part.status_code) == (200, 307)
            tail = client.get(part.headers["location"], headers={"range": "bytes=-4"})
            assert tail.content == b"PAR1"
            assert tail.headers["content-range"].endswith(f"/{told.headers['content-length']}")
        path = "/sample.csv?entity=1"
        part = served.get(path, headers={"range": "bytes=2-"})
        whole = served.get(path)
        assert (part.status_code, whole.status_code) == (307, 200)
        assert whole.headers["accept-ranges"] == "bytes"
        options = {"headers": {"range": "bytes=2-", "accept-encoding": "identity"}}
        assert client.get(part.headers["location"], **options).content == whole.content[2:]


def test_head_of_a_stored_object_beyond_the_limit_leads_to_it(place: Place) -> None:
    with exporting(place) as served, httpx2.Client(trust_env=False) as client:
        head = served.client.head("/large.parquet")
        assert head.status_code == 307
        told = client.head(head.headers["location"])
        assert int(told.headers["content-length"]) == (place.datasets / "large.parquet").stat().st_size


def test_a_form_leads_to_the_export_of_its_address_by_a_redirect_for_get(place: Place) -> None:
    path = "/large.csv?exclude_field=entity"
    with exporting(place) as served, httpx2.Client(trust_env=False) as client:
        by_address = patient(served, path).headers["location"]
        for method in ("POST", "QUERY"):
            form = {"content": b"exclude_field=entity", "headers": {"content-type": FORM}}
            answer = served.client.request(method, "/large.csv", **form)
            assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
            assert urlsplit(answer.headers["location"]).path == urlsplit(by_address).path
            # Which a client may ask for by GET alone.
            assert client.get(answer.headers["location"]).status_code == 200


def test_an_export_that_takes_long_is_promised_to_head(place: Place) -> None:
    with exporting(place, whole_seconds=0) as served:
        pending = served.client.head("/large.parquet?exclude_field=entity")
        assert (pending.status_code, pending.headers["retry-after"]) == (503, "5")
        assert eventually(
            lambda: served.client.head("/large.parquet?exclude_field=entity").status_code == 307, 30
        )


def test_a_result_beyond_the_limit_is_exported_and_redirected_to(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with exporting(place) as served:
        first = served.get("/largest.csv")
        assert (first.status_code, first.json()["code"]) == (503, "export-pending")
        assert int(first.headers["retry-after"]) > 0
        assert first.headers["cache-control"] == "no-store"
        found = fetched(patient(served, "/largest.csv"))
    assert found.content == truth(place, "/largest.csv")
    assert found.headers["content-type"] == "text/csv"
    assert found.headers["content-disposition"] == 'attachment; filename="largest.csv"'
    assert len(place.exported()) == 1
    assert place.notes() == []
    assert exports.PENDING not in caplog.text


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed")
def test_curl_waits_for_the_export_and_gets_it(place: Place, tmp_path: Path) -> None:
    with exporting(place) as served:
        command = ["curl", "--silent", "--retry", "20", "--fail", "--location", "--output", "large.csv"]
        subprocess.run([*command, f"{served.url}/large.csv"], check=True, cwd=tmp_path, timeout=60)
    assert (tmp_path / "large.csv").read_bytes() == truth(place, "/large.csv")


def test_fetch_waits_for_the_export_and_verifies_it(place: Place, tmp_path: Path) -> None:
    with exporting(place) as served:
        output, size = fetch(
            f"{served.url}/large.csv", tmp_path / "large.csv", wait=lambda _: time.sleep(0.05)
        )
    assert output.read_bytes() == truth(place, "/large.csv")
    assert size == output.stat().st_size


def test_a_coded_export_says_its_coding(place: Place) -> None:
    with exporting(place) as served:
        found = patient(served, "/large.csv", headers={"accept-encoding": "gzip"})
        assert found.status_code == 307
        with httpx2.Client(trust_env=False) as client, client.stream("GET", found.headers["location"]) as raw:
            assert raw.headers["content-encoding"] == "gzip"
            body = b"".join(raw.iter_raw())
    assert gzip.decompress(body) == truth(place, "/large.csv")


def test_an_export_is_made_once_for_every_machine(place: Place) -> None:
    with exporting(place) as one, exporting(place) as other:
        made = fetched(patient(one, "/large.csv"))
        changed = [path.stat().st_mtime_ns for path in place.exported()]
        again = other.get("/large.csv")
        assert fetched(again).content == made.content
        assert "production" not in {thread.name for thread in threading.enumerate()}
        assert [path.stat().st_mtime_ns for path in place.exported()] == changed


def test_all_who_ask_while_it_is_made_wait_for_the_same_export(place: Place) -> None:
    with exporting(place) as served, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: patient(served, "/large.csv"), range(8)))
        assert {answer.status_code for answer in answers} == {307}
        assert len(place.exported()) == 1


def test_small_results_are_answered_as_ever(place: Place) -> None:
    with exporting(place) as served:
        response = served.get("/sample.csv")
        assert response.status_code == 200
        assert response.headers["content-length"] == str(len(response.content))
        assert served.get("/large.csv", headers={"if-none-match": "*"}).status_code == 304
    assert place.exported() == []


def test_a_stored_object_is_its_own_export(place: Place) -> None:
    with exporting(place) as served:
        found = fetched(served.get("/large.parquet"))
    assert found.content == (place.datasets / "large.parquet").read_bytes()
    assert place.exported() == []


def test_a_stored_object_that_an_answer_can_carry_is_answered(place: Place) -> None:
    stored = (place.datasets / "large.parquet").read_bytes()
    with exporting(place, response_max_bytes=len(stored)) as served:
        response = served.get("/large.parquet")
    assert (response.status_code, response.content) == (200, stored)


def test_a_failed_export_leaves_nothing_and_is_told(place: Place) -> None:
    with exporting(place, spool_dir="off") as served:
        # Too large for the spool before the spoilt rows are met.
        assert served.get("/bad.json").status_code == 503
        response = patient(served, "/bad.json")
        assert (response.status_code, response.json()["code"]) == (500, "export-failed")
    assert place.exported() == []


def test_a_failure_is_forgotten_after_a_while(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with exporting(place, spool_dir="off") as served:
        assert patient(served, "/bad.json").status_code == 500
        monkeypatch.setattr(notes, "STALE_SECONDS", 0.0)
        assert served.get("/bad.json").status_code == 503


def test_an_export_that_always_fails_is_begun_ever_more_rarely(place: Place) -> None:
    with exporting(place, spool_dir="off", metrics="prometheus") as served:

        def begun() -> float:
            return samples(served.get("/metrics").text)["download_lambda_exports_total", ()]

        for failures in (1, 2, 3):
            assert patient(served, "/bad.json").json()["code"] == "export-failed"
            (path,) = place.notes()
            note = Note.read(path.read_bytes())
            assert (note.failures, begun()) == (failures, failures)
            assert note.until - note.time == 60 * 2 ** (failures - 1)
            # As if that time were over.
            path.write_bytes(replace(note, time=note.time - 7200).written())
        assert samples(served.get("/metrics").text)["download_lambda_export_failures_total", ()] == 3


def test_a_success_forgets_the_failures_before_it(place: Place) -> None:
    with exporting(place) as served:
        assert patient(served, "/large.csv").status_code == 307
        (made,) = place.exported()
        assert eventually(lambda: not place.notes())
        made.unlink()
        note = place.exports / f"{made.parent.name}.json"
        note.write_bytes(Note(time.time() - 7200, 9, "It failed.", is_making=False).written())
        assert patient(served, "/large.csv").status_code == 307
    assert place.notes() == []


def test_an_export_whose_machine_is_gone_is_begun_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exporting(place) as served:
        assert patient(served, "/large.csv").status_code == 307
        (made,) = place.exported()
        # Its own note goes a moment after it is there.
        assert eventually(lambda: not place.notes())
        note = place.exports / f"{made.parent.name}.json"
        made.unlink()
        note.write_text(json.dumps({"time": time.time() - 30}))
        assert served.get("/large.csv").status_code == 503
        assert note.exists(), "somebody may still be making it"
        note.write_text(json.dumps({"time": time.time() - 3600}))
        assert patient(served, "/large.csv").status_code == 307


def test_an_export_bucket_that_is_not_there_is_a_503_without_its_name(place: Place) -> None:
    with exporting(place, export_bucket="absent-bucket") as served:
        response = served.get("/large.csv")
        assert (response.status_code, response.json()["code"]) == (503, "storage-unavailable")
        assert "absent" not in response.text


def test_events_are_taken_from_the_adapter_alone(place: Place) -> None:
    event = {"export": {"dataset": "large", "extension": "csv", "parameters": [], "coding": "identity"}}
    context = json.dumps({"deadline": int((time.time() + 300) * 1000)})
    own = {"x-amzn-request-context": "null", "x-amzn-lambda-context": context}
    of_a_client = own | {"x-amzn-request-context": '{"http": {"method": "POST"}}'}
    with exporting(place) as served:
        assert served.client.post("/events", json=event, headers=own).status_code == 404
    with exporting(place, aws_lambda_function_name="download") as served:
        assert served.client.post("/events", json=event).status_code == 404
        assert served.client.post("/events", json=event, headers=of_a_client).status_code == 404
        assert place.exported() == []
        assert served.client.post("/events", json={"other": 1}, headers=own).status_code == 422
        assert served.client.post("/events", json=event, headers=own).status_code == 200
    (made,) = place.exported()
    assert sha256(made.read_bytes()).digest() == sha256(truth(place, "/large.csv")).digest()


def test_an_event_that_comes_twice_makes_one_export(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = S3ExportStorage.write

    def counted(self: S3ExportStorage, path: str, *rest: Any) -> None:
        written.append(path)
        write(self, path, *rest)

    monkeypatch.setattr(S3ExportStorage, "write", counted)
    event = {"export": {"dataset": "large", "extension": "csv", "parameters": [], "coding": "identity"}}
    own = {"x-amzn-request-context": "null"}
    with exporting(place, aws_lambda_function_name="download") as served, ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(served.client.post, "/events", json=event, headers=own) for _ in range(4)]
        assert {call.result().status_code for call in calls} == {200}
        assert served.client.post("/events", json=event, headers=own).status_code == 200
    assert len(written) == 1
    assert place.notes() == []


def test_an_export_ends_while_there_is_time_to_note_its_failure(place: Place) -> None:
    event = {"export": {"dataset": "sample", "extension": "csv", "parameters": [], "coding": "identity"}}
    with exporting(place, aws_lambda_function_name="download") as served:
        context = json.dumps({"deadline": int((time.time() + MARGIN_SECONDS - 0.5) * 1000)})
        own = {"x-amzn-request-context": "null", "x-amzn-lambda-context": context}
        assert served.client.post("/events", json=event, headers=own).status_code == 200
    assert place.exported() == []
    (note,) = place.notes()
    assert "longer" in json.loads(note.read_text())["failure"]


def test_an_export_ends_by_its_deadline(place: Place) -> None:
    event = {"export": {"dataset": "large", "extension": "csv", "parameters": [], "coding": "identity"}}
    context = json.dumps({"deadline": int(time.time() * 1000)})
    own = {"x-amzn-request-context": "null", "x-amzn-lambda-context": context}
    with exporting(place, aws_lambda_function_name="download") as served:
        assert served.client.post("/events", json=event, headers=own).status_code == 200
        assert place.exported() == []
        response = served.get("/large.csv", headers={"x-amzn-lambda-context": "{}"})
        assert (response.status_code, response.json()["code"]) == (500, "export-failed")


def test_what_the_deadline_does_not_leave_time_for_is_refused(place: Place) -> None:
    soon = json.dumps({"deadline": int((time.time() + 1) * 1000)})
    settings = {"export_bucket": None, "response_max_bytes": 0, "whole_results": True}
    with exporting(place, aws_lambda_function_name="download", **settings) as served:
        response = served.get("/large.csv", headers={"x-amzn-lambda-context": soon})
        assert (response.status_code, response.json()["code"]) == (413, "result-too-large")
        assert served.get("/sample.csv").status_code == 200
    with exporting(place, **settings) as served:
        believed = served.get("/large.csv", headers={"x-amzn-lambda-context": soon})
        assert believed.status_code == 200, "outside Lambda anybody can send that header"
