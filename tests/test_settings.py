"""What the environment's names mean, those of a former service among them."""

import os

import pytest

from application.service import name_storages
from application.settings import read_settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "DATASET_", "EXPORT_", "S3_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATASET_BUCKET", "datasets")


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://a:1"}, "http://a:1"),
        ({"S3_ENDPOINT_URL": "http://b:1"}, "http://b:1"),
        ({"S3_ENDPOINT": "http://b:1"}, "http://b:1"),
        ({"S3_ENDPOINT_URL": "b:1"}, "https://b:1"),
        ({"S3_ENDPOINT_URL": "b:1", "S3_USE_SSL": "true"}, "https://b:1"),
        ({"S3_ENDPOINT_URL": "b:1", "S3_USE_SSL": "false"}, "http://b:1"),
        ({"S3_ENDPOINT_URL": "https://b:1", "S3_USE_SSL": "false"}, "https://b:1"),
        ({"S3_USE_SSL": "false"}, None),
        ({"S3_ENDPOINT_URL": "http://b:1", "AWS_ENDPOINT_URL": "http://a:1"}, "http://a:1"),
        ({"S3_ENDPOINT_URL": "http://b:1", "AWS_ENDPOINT_URL_S3": "http://c:1"}, None),
    ],
)
def test_the_servers_older_names_are_read_where_the_right_one_is_not_set(
    environment: dict[str, str], endpoint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert read_settings().endpoint_url == endpoint


def test_the_datasets_may_lie_in_another_region_than_the_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY00001",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests",
        "AWS_REGION": "eu-west-2",
        "DATASET_REGION": "us-east-1",
        "EXPORT_BUCKET": "exports",
    }.items():
        monkeypatch.setenv(name, value)
    storages = name_storages(read_settings())
    assert storages.exports
    for storage, region in ((storages.datasets, "us-east-1"), (storages.exports, "eu-west-2")):
        found = storage.engine_access().secret
        assert found
        assert (found.region, found.endpoint) == (region, f"s3.{region}.amazonaws.com")
