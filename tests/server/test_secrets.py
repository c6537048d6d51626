"""No key or signature is in any line, whoever wrote the text that it was in."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import botocore.session
import duckdb
import httpx2
import obstore
import pytest

from application.engine.database import extension_file
from application.storage import open_storage
from application.telemetry.logs import FORMATTERS
from tests.support import tables
from tests.support.processes import running
from tests.support.s3_server import s3_server

KEY, SECRET, TOKEN = "AKIAPLANTEDKEY01", "planted+secret/of-the-tests", "planted-session-token"
API_KEY = "planted-api-key"


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tables.write(tables.sample(), tmp_path / "bucket" / "sample.parquet")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with s3_server(tmp_path, KEY, SECRET) as url:
        yield url


def secrets(text: str) -> list[str]:
    """What of the planted is in the text, and any signature."""
    planted = [each for each in (KEY, SECRET, TOKEN, API_KEY, "planted") if each in text]
    return planted + re.findall(r"[0-9a-f]{64}", text)


def logged(error: BaseException) -> str:
    """What the log would hold of an error, in both forms."""
    record = logging.LogRecord(
        "download", logging.ERROR, "", 1, "failed: %s", (error,), (type(error), error, error.__traceback__)
    )
    return "".join(formatter().format(record) for formatter in FORMATTERS.values())


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def signed(endpoint: str, path: str) -> str:
    storage = open_storage("bucket", "", region="eu-west-2", endpoint_url=endpoint)
    url = storage.presign(path, 60)
    assert url is not None
    return url


def test_a_signed_address_in_an_engines_error(endpoint: str) -> None:
    url = signed(endpoint, "absent.parquet")
    with duckdb.connect(config={"allow_persistent_secrets": False}) as database:
        database.execute(f"LOAD '{extension_file('httpfs')}'")
        error = raised(lambda: database.execute(f"SELECT * FROM read_parquet('{url}')"))
    assert "X-Amz-Signature" in str(error)
    assert secrets(str(error))
    assert not secrets(logged(error))


def test_a_signed_address_in_an_http_clients_error(endpoint: str) -> None:
    url = signed(endpoint, "absent.parquet")
    error = raised(lambda: httpx2.get(url, trust_env=False).raise_for_status())
    assert secrets(str(error))
    assert not secrets(logged(error))


def test_a_refusal_of_storage(endpoint: str) -> None:
    from obstore.store import S3Store

    store = S3Store(
        "bucket",
        endpoint=endpoint,
        aws_endpoint_url_s3=endpoint,
        region="eu-west-2",
        access_key_id=KEY,
        secret_access_key=SECRET + "-wrong",
        client_options={"allow_http": True},
    )
    assert not secrets(logged(raised(lambda: obstore.head(store, "sample.parquet"))))


def test_a_refusal_that_botocore_tells(endpoint: str) -> None:
    session = botocore.session.Session()
    session.set_credentials(KEY, SECRET + "-wrong", TOKEN)
    client = session.create_client("s3", endpoint_url=endpoint, region_name="eu-west-2")
    error = raised(lambda: client.get_object(Bucket="bucket", Key="sample.parquet"))
    assert isinstance(error, botocore.exceptions.ClientError)
    assert not secrets(logged(error))


def test_a_process_whose_every_place_has_one(endpoint: str, tmp_path: Path) -> None:
    planted = {
        "DATASET_BUCKET": "bucket",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "NATIVE_REDIRECT_SECONDS": "60",
        "LOG_LEVEL": "DEBUG",
        "METRICS": "prometheus",
    }
    headers = {"x-api-key": API_KEY, "authorization": f"Bearer {API_KEY}", "cookie": f"key={API_KEY}"}
    with running(tmp_path, **planted) as server:
        redirect = server.get("/sample.parquet", headers=headers)
        assert redirect.status_code == 307
        for path in ("/sample.csv", "/absent.csv", "/sample.csv?api_key=planted-value", "/ready", "/metrics"):
            server.get(path, headers=headers)
        # Storage is there no more: every path to an error with a cause.
        bucket = tmp_path / "bucket"
        bucket.rename(tmp_path / "gone")
        for path in ("/other.csv", "/sample.ndjson"):
            assert server.get(path, headers=headers).status_code == 503
        page = server.get("/metrics").text
        server.process.terminate()
        server.process.wait(15)
        text = "".join(server.lines)
    assert [line["status"] for line in server.requests()].count(503) >= 1
    assert "traceback" in text
    assert not secrets(text)
    assert not secrets(page)
    assert secrets(redirect.headers["location"])
    for line in server.lines:
        json.loads(line)
