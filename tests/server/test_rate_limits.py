"""Limits that several servers count together in a real Redis, and that hold when it is away."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from application.access.limiter import PATIENCE_SECONDS, open_limiter
from application.main import create_app
from application.settings import Settings
from tests.server.redis_server import RedisServer, redis_server
from tests.support.serving import Served, eventually, serving_folder

AWAY, BACK = "Redis is away", "Redis is back"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with redis_server(tmp_path) as server:
        yield server


def statuses(served: Served | TestClient, times: int) -> list[int]:
    return [served.get("/sample.csv").status_code for _ in range(times)]


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [record.getMessage() for record in caplog.records]
    return [AWAY if AWAY in text else BACK for text in told if AWAY in text or BACK in text]


def test_two_servers_count_together(folder: Path, redis: RedisServer) -> None:
    settings = {"rate_limit": "6/hour", "rate_limit_storage": redis.url}
    with serving_folder(folder, **settings) as first, serving_folder(folder, **settings) as second:
        for served in (first, second) * 3:
            assert served.get("/sample.csv").status_code == 200
        for served in (first, second):
            response = served.get("/sample.csv")
            assert response.status_code == 429
            assert response.json()["code"] == "rate-limited"
            assert response.headers["ratelimit"].startswith('"6/hour";r=0;t=')
            assert 3500 < int(response.headers["retry-after"]) <= 3600
            assert served.get("/health").status_code == 200


def test_many_requests_at_the_same_time_are_counted_exactly(
    folder: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine that stands still for a second is no Redis that is away, when each server would count alone.
    monkeypatch.setattr("application.access.redis_counters.REDIS_SECONDS", 30.0)
    monkeypatch.setattr("application.access.limiter.PATIENCE_SECONDS", 30.0)
    caplog.set_level(logging.WARNING, "download")
    settings = {"rate_limit": "20/hour", "rate_limit_storage": redis.url, "log_level": "WARNING"}
    with (
        serving_folder(folder, **settings) as first,
        serving_folder(folder, **settings) as second,
        ThreadPoolExecutor(8) as threads,
    ):
        asked = [first, second] * 20
        found = list(threads.map(lambda served: served.get("/sample.csv").status_code, asked))
    assert messages(caplog) == []
    assert sorted(found) == [200] * 20 + [429] * 20


def test_who_waits_as_long_as_told_may_ask_again(redis: RedisServer) -> None:
    limiter = open_limiter("1/5second", redis.url)
    assert asyncio.run(limiter.hit("somebody")).is_allowed
    # Redis's own seconds would be rounded down here.
    time.sleep(0.7)
    refused = asyncio.run(limiter.hit("somebody"))
    assert not refused.is_allowed
    assert refused.quotas[-1].reset_seconds == 5
    limiter.close()


def test_without_a_lifespan_each_event_loop_counts_in_the_same_redis(
    folder: Path, redis: RedisServer
) -> None:
    given = {"dataset_bucket": folder.as_uri(), "dataset_prefix": ""}
    app = create_app(Settings(**given, rate_limit="2/hour", rate_limit_storage=redis.url))
    client = TestClient(app)
    assert statuses(client, 3) == [200, 200, 429]
    client.close()
    app.state.lifespan.stop()
    with TestClient(app) as client:
        assert statuses(client, 1) == [429]


def test_the_service_goes_on_without_redis_and_says_so_once(
    folder: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each request tries it again.
    monkeypatch.setattr("application.access.limiter.RETRY_SECONDS", 0.0)
    caplog.set_level(logging.WARNING, "download")
    settings = {"rate_limit": "4/hour", "rate_limit_storage": redis.url, "log_level": "WARNING"}
    with serving_folder(folder, **settings) as served:
        assert statuses(served, 2) == [200, 200]
        redis.kill()
        # It counts by itself now, from the start.
        assert statuses(served, 6) == [200, 200, 200, 200, 429, 429]
        assert messages(caplog) == [AWAY]
        assert statuses(served, 2) == [429, 429]
        assert messages(caplog) == [AWAY]
        redis.start()
        # A new Redis knows nothing of what was before.
        assert statuses(served, 5) == [200, 200, 200, 200, 429]
        assert messages(caplog) == [AWAY, BACK]
        redis.kill()
        assert statuses(served, 1) == [429]
        assert messages(caplog) == [AWAY, BACK, AWAY]
    assert redis.password not in caplog.text
    assert str(redis.port) not in caplog.text


def test_a_redis_that_restarts_between_two_requests_is_no_outage(
    folder: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "download")
    settings = {"rate_limit": "4/hour", "rate_limit_storage": redis.url, "log_level": "WARNING"}
    with serving_folder(folder, **settings) as served:
        assert statuses(served, 2) == [200, 200]
        redis.kill()
        redis.start()
        assert statuses(served, 5) == [200, 200, 200, 200, 429]
    assert messages(caplog) == []


def test_a_redis_that_is_away_at_the_start_is_told_before_anyone_asks(
    folder: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "download")
    redis.kill()
    settings = {"rate_limit": "1/hour", "rate_limit_storage": redis.url, "log_level": "WARNING"}
    with serving_folder(folder, **settings) as served:
        end = time.monotonic() + 5
        while not messages(caplog) and time.monotonic() < end:
            time.sleep(0.01)
        assert messages(caplog) == [AWAY]
        assert statuses(served, 2) == [200, 429]
        assert messages(caplog) == [AWAY]


def test_a_password_that_redis_refuses_is_an_outage_like_any(
    folder: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "download")
    wrong = redis.url.replace(redis.password, "another-password")
    settings = {"rate_limit": "1/hour", "rate_limit_storage": wrong, "log_level": "WARNING"}
    with serving_folder(folder, **settings) as served:
        assert statuses(served, 2) == [200, 429]
    assert messages(caplog) == [AWAY]
    assert "another-password" not in caplog.text


def test_redis_over_tls_must_show_a_certificate_that_is_trusted(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "download")
    with redis_server(tmp_path, tls=True) as redis:
        settings = {"rate_limit": "1/hour", "log_level": "WARNING"}
        trusting = f"{redis.url}?ssl_ca_certs={redis.certificate}"
        for status in (200, 429):
            with serving_folder(folder, **settings, rate_limit_storage=trusting) as served:
                assert statuses(served, 1) == [status]
        assert messages(caplog) == []
        with serving_folder(folder, **settings, rate_limit_storage=redis.url) as served:
            assert statuses(served, 2) == [200, 429]
        assert messages(caplog) == [AWAY]


def test_a_redis_that_hangs_holds_up_only_the_first_and_those_for_no_longer_than_it_may(
    redis: RedisServer,
) -> None:
    limiter = open_limiter("1000/hour", redis.url)

    async def waits(number: int) -> list[float]:
        async def one() -> float:
            begin = time.monotonic()
            assert (await limiter.hit("somebody")).is_allowed
            return time.monotonic() - begin

        return await asyncio.gather(*(one() for _ in range(number)))

    asyncio.run(waits(5))
    with redis.frozen():
        # The bound is the timeout's, plus what a loaded machine takes to notice.
        assert max(asyncio.run(waits(50))) < PATIENCE_SECONDS + 1
        assert max(asyncio.run(waits(50))) < PATIENCE_SECONDS
    assert limiter.is_alone

    def is_back() -> bool:
        asyncio.run(waits(1))
        return not limiter.is_alone

    assert eventually(is_back)
    limiter.close()


def test_a_closed_limiter_leaves_no_thread(redis: RedisServer) -> None:
    limiter = open_limiter("1000/hour", redis.url)
    asyncio.run(limiter.hit("somebody"))
    limiter.close()
    end = time.monotonic() + 5
    while any(thread.name.startswith("rate-limits") for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)
