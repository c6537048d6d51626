"""How many downloads one client may have at the same time, however they end."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support import tables
from tests.support.serving import BROKEN_OFF, Served, eventually, serving_folder

KEYS = ("the-first-key", "the-second-key")


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server where each client may have two downloads, and two keys, over sound and spoilt data."""
    folder = tmp_path_factory.mktemp("limited")
    tables.write(tables.large(24), folder / "large.parquet")
    tables.write(tables.large(24), folder / "spoilt.parquet")
    tables.spoil(folder / "spoilt.parquet", 20)
    settings: dict[str, Any] = {"client_downloads": 2, "api_key": ",".join(KEYS), "spool_max_result": 1 << 20}
    with serving_folder(folder, **settings) as served:
        served.client.headers["x-api-key"] = KEYS[0]
        yield served


@pytest.fixture
def two(limited: Served) -> Iterator[ExitStack]:
    """Two downloads of the first key's that run; closing it leaves them."""
    assert is_idle(limited)
    with ExitStack() as stack:
        for _ in range(2):
            response = stack.enter_context(limited.client.stream("GET", "/large.csv"))
            assert response.status_code == 200
        yield stack


def free(served: Served) -> int:
    """How many downloads the first key may have, once the server knows of those that ended."""
    assert is_idle(served)
    with ExitStack() as stack:
        responses = [stack.enter_context(served.client.stream("GET", "/large.csv")) for _ in range(3)]
        return [response.status_code for response in responses].count(200)


def is_idle(served: Served) -> bool:
    """Wait until no client has a place."""
    downloads = served.lifespan.access.downloads
    assert downloads
    return eventually(lambda: not downloads.taken)


def test_one_download_too_many_is_refused_and_everything_else_is_not(limited: Served, two: ExitStack) -> None:
    for path in ("/large.csv", "/large.parquet", "/dataset/large.csv", "/datasets/large/manifest?format=csv"):
        response = limited.get(path)
        assert response.status_code == 429, path
        assert response.json()["code"] == "too-many-downloads"
        assert int(response.headers["retry-after"]) > 0
    assert limited.client.head("/large.csv").status_code == 200
    assert limited.get("/health").status_code == 200
    with limited.client.stream("GET", "/large.csv", headers={"x-api-key": KEYS[1]}) as other:
        assert other.status_code == 200


def test_a_client_that_leaves_gives_its_places_back(limited: Served, two: ExitStack) -> None:
    two.close()
    assert free(limited) == 2


def test_one_download_after_another_is_never_too_many(folder: Path) -> None:
    with serving_folder(folder, client_downloads=1) as served:
        for path in ("/sample.csv", "/sample.parquet", "/nothing.csv", "/sample.csv?nothing=1") * 5:
            with httpx2.Client(base_url=served.url, trust_env=False) as client:
                assert client.get(path).status_code != 429


def test_a_download_that_breaks_off_gives_its_place_back(limited: Served) -> None:
    assert is_idle(limited)
    for _ in range(3):
        with limited.client.stream("GET", "/spoilt.csv") as response:
            assert response.status_code == 200
            with pytest.raises(BROKEN_OFF):
                response.read()
    assert free(limited) == 2
