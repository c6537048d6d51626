"""What the environment's names mean, those of a former service among them."""

import os
from pathlib import Path

import pytest

from application.errors import ConfigurationError
from application.service import name_storages
from application.settings import Settings, read_settings
from application.telemetry.memory import most_memory


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


@pytest.mark.parametrize(
    ("there_is", "expected"), [(None, 1024), (256, 64), (1536, 512), (2048, 768), (65536, 1024)]
)
def test_productions_have_half_of_the_memory_that_the_engine_leaves(
    there_is: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "application.settings.most_memory", lambda: None if there_is is None else there_is << 20
    )
    assert Settings().production_memory == expected << 20


def test_a_container_has_what_its_group_may_have(tmp_path: Path) -> None:
    limited, unlimited = tmp_path / "limited", tmp_path / "unlimited"
    limited.write_text("100000000\n")
    unlimited.write_text("max\n")
    machine = most_memory(())
    assert machine
    assert most_memory((unlimited, tmp_path / "absent")) == machine
    assert most_memory((unlimited, limited)) == 100_000_000


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("", ""),
        ("https://tiles.example.org/styles/plain.json?key=a%20b", "https://tiles.example.org"),
        ("http://127.0.0.1:8080/style.json", "http://127.0.0.1:8080"),
    ],
)
def test_maps_have_the_origin_of_their_style(address: str, origin: str) -> None:
    assert Settings(map_style_url=address).map_origin == origin


@pytest.mark.parametrize(
    "address",
    [
        "tiles.example.org/style.json",
        "https://tiles.example.org",
        "https://a.example.org; script-src *//style.json",
        "https://a.example.org/style.json\nSet-Cookie: a=b",
        "https://user:secret@a.example.org/style.json",
        "javascript://a/b",
    ],
)
def test_an_address_that_would_be_more_than_an_origin_of_a_policy_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAP_STYLE_URL", address)
    with pytest.raises(ConfigurationError, match="MAP_STYLE_URL"):
        read_settings()
