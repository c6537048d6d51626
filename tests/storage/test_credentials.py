"""Where credentials come from, and that they stay fresh."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from application.errors import StorageUnavailable
from application.storage import Storage, open_storage
from application.storage.credentials import CredentialProvider
from tests.storage.conftest import KEY, SECRET, Bucket
from tests.support.serving import eventually


class Endpoint:
    """A container's credential endpoint that gives new credentials, of so many seconds, at each call."""

    def __init__(self) -> None:
        self.seconds, self.calls, self.is_up, self.key = 3600.0, 0, True, ""
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        """Its clock, which a test moves on."""
        return self.time

    def answer(self) -> bytes:
        self.calls += 1
        end = self.time + timedelta(seconds=self.seconds)
        return json.dumps(
            {
                "AccessKeyId": self.key or f"key-{self.calls}",
                "SecretAccessKey": SECRET,
                "Token": f"token-{self.calls}",
                "Expiration": end.isoformat(),
            }
        ).encode()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_asked_well = self.headers["Authorization"] == "the token" and self.path == "/credentials"
            status = 200 if is_asked_well and state.is_up else 403
            body = state.answer() if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "token").write_text("the token")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/credentials"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0.01)
        yield state
        server.shutdown()
        thread.join()


def write_profile(path: Path, name: str, key: str, secret: str = SECRET) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")


def test_keys_in_the_environment_never_import_botocore(bucket: Bucket) -> None:
    """As on Lambda, where every import is part of a cold start."""
    code = (
        "import sys; from application.storage import Storage, open_storage;"
        f"storage = open_storage('bucket', endpoint_url={bucket.endpoint!r});"
        "assert storage.head('b.parquet');"
        "print('botocore' in sys.modules, storage.engine_access().secret.key)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ,
        check=True,
    )
    assert done.stdout.split() == ["False", KEY]


def test_a_session_token_in_the_environment_is_passed_on(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    found = CredentialProvider().get()
    assert (found.key, found.secret, found.token, found.expires_at) == (KEY, SECRET, "a-token", None)


def test_a_profile_goes_before_the_environment(
    keys: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_profile(tmp_path / "shared", "work", "key-of-the-profile")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "shared"))
    assert CredentialProvider("work").get().key == "key-of-the-profile"
    assert CredentialProvider().get().key == KEY
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert CredentialProvider().get().key == "key-of-the-profile"


def test_the_shared_file_in_the_home_folder_is_found(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """And serves the S3 client and DuckDB alike."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    write_profile(Path.home() / ".aws" / "credentials", "default", KEY)
    storage = bucket.open()
    assert storage.head("b.parquet") is not None
    secret = storage.engine_access().secret
    assert secret is not None
    assert secret.key == KEY


def test_a_profile_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageUnavailable, match="AWS_PROFILE"):
        CredentialProvider("nobody").get()


def test_no_credentials_anywhere_says_what_to_set() -> None:
    storage = open_storage("bucket", endpoint_url="http://127.0.0.1:1")
    for ask in (
        storage.engine_access,
        storage.list,
        lambda: storage.head("x"),
        lambda: storage.presign("x", 5),
    ):
        with pytest.raises(StorageUnavailable, match="No AWS credentials were found: set AWS_ACCESS_KEY_ID"):
            ask()


def test_half_a_key_pair_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    with pytest.raises(StorageUnavailable) as caught:
        CredentialProvider().get()
    assert KEY not in str(caught.value)


def test_a_containers_role_is_asked_once_while_its_credentials_last(endpoint: Endpoint) -> None:
    provider = CredentialProvider()
    found = provider.get()
    calls = endpoint.calls
    assert found.expires_at is not None
    assert found.token == f"token-{calls}"
    assert provider.get() == found
    assert provider()["access_key_id"] == found.key
    assert endpoint.calls == calls


def test_credentials_are_replaced_before_they_expire(endpoint: Endpoint) -> None:
    """Of credentials that end within five minutes the rest is halved, so that others come in time."""
    endpoint.seconds = 40
    provider = CredentialProvider(now=endpoint.now)
    first = provider.get()
    endpoint.time += timedelta(seconds=19)
    assert provider.get() == first
    endpoint.time += timedelta(seconds=2)
    assert provider.get().key != first.key


def test_valid_credentials_outlive_a_failure_to_renew_them(endpoint: Endpoint) -> None:
    endpoint.seconds = 40
    provider = CredentialProvider(now=endpoint.now)
    first = provider.get()
    endpoint.is_up = False
    endpoint.time += timedelta(seconds=39)
    assert provider.get() == first
    endpoint.time += timedelta(seconds=1)
    with pytest.raises(StorageUnavailable):
        provider.get()


def can_head(storage: Storage) -> bool:
    """Whether the object is found, and not refused."""
    with suppress(StorageUnavailable):
        return storage.head("b.parquet") is not None
    return False


def test_the_client_is_given_the_replaced_credentials(
    bucket: Bucket, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    endpoint.seconds, endpoint.key = 1.0, "key-unknown-here"
    storage = bucket.open()
    with pytest.raises(StorageUnavailable):
        storage.head("b.parquet")
    endpoint.key = KEY
    assert eventually(lambda: can_head(storage))
