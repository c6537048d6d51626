"""The application as its users import it, with and without a lifespan."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from application.main import app, create_app
from application.settings import Settings
from tests.support import tables
from tests.support.s3_server import s3_server

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set until a test sets it: after the application was imported."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DATASET_", "S3_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("ENVIRONMENT", raising=False)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server with the bucket `test-bucket`."""
    root = tmp_path_factory.mktemp("served")
    tables.write(tables.sample(), root / "test-bucket/dataset/test-dataset.parquet")
    with s3_server(root, KEY, SECRET) as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that names the bucket and its server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("DATASET_BUCKET", "test-bucket")


@pytest.fixture(params=["without a lifespan", "with one"])
def client(request: pytest.FixtureRequest, bucket: None) -> Iterator[TestClient]:
    client = TestClient(app)
    with ExitStack() as stack:
        if request.param == "with one":
            stack.enter_context(client)
        yield client
    client.close()
    app.state.lifespan.stop()


def test_health_answers(client: TestClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "healthy", "service": "download-lambda"}


def test_a_dataset_is_downloaded(client: TestClient) -> None:
    response = client.get("/test-dataset.csv")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv"
    assert len(response.text.splitlines()) == 7


def test_a_dataset_is_filtered(client: TestClient) -> None:
    response = client.get("/test-dataset.csv?organisation-entity=org-1")
    assert response.status_code == 200
    assert len(response.text.splitlines()) == 3


@pytest.mark.parametrize("name", ["S3_ENDPOINT_URL", "S3_ENDPOINT"])
def test_a_former_services_names_for_the_server_are_read_and_told(
    bucket: None,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(name, endpoint.removeprefix("http://"))
    monkeypatch.setenv("S3_USE_SSL", "false")
    with TestClient(app) as client:
        assert client.get("/test-dataset.json").json() == tables.sample().to_pylist()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "S3_USE_SSL" in line]
    assert line.endswith(f"names of a former service; set AWS_ENDPOINT_URL={endpoint} instead")


def test_a_lifespan_may_follow_another(bucket: None) -> None:
    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/test-dataset.json").json() == tables.sample().to_pylist()


def test_without_a_lifespan_each_request_sees_the_environment_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(app)
    for number in (1, 2):
        tables.write(tables.sample(number), tmp_path / str(number) / "dataset/sample.parquet")
        monkeypatch.setenv("DATASET_BUCKET", str(tmp_path / str(number)))
        assert client.get("/sample.json").json()[0]["entity"] == number
    client.close()
    app.state.lifespan.stop()


def test_without_a_bucket_requests_are_told_and_health_answers() -> None:
    client = TestClient(app)
    response = client.get("/test-dataset.csv")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "not-configured"
    assert "DATASET_BUCKET" in response.json()["detail"]
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
    client.close()


def test_a_setting_that_is_not_understood_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_MAX_AGE", "an-hour")
    client = TestClient(app)
    response = client.get("/test-dataset.csv")
    assert (response.status_code, response.json()["code"]) == (503, "not-configured")
    assert "CACHE_MAX_AGE" in response.json()["detail"]
    assert "an-hour" not in response.text
    client.close()


def test_without_a_bucket_a_lifespan_does_not_begin() -> None:
    with pytest.raises(Exception, match="DATASET_BUCKET is not set"), TestClient(app):
        pass


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_interactive_pages_are_for_development_only(tmp_path: Path, path: str) -> None:
    for environment, status in (("development", 200), ("Development", 200), ("production", 404)):
        settings = Settings(dataset_bucket=tmp_path.as_uri(), environment=environment)
        with TestClient(create_app(settings)) as client:
            assert client.get(path).status_code == status


def test_the_openapi_document_describes_downloads(tmp_path: Path) -> None:
    settings = Settings(dataset_bucket=tmp_path.as_uri(), environment="development")
    with TestClient(create_app(settings)) as client:
        described = client.get("/openapi.json").json()["paths"]
    assert {"/health", "/ready", "/{dataset}.{extension}"} <= described.keys()
