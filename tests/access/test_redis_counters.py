"""Windows in a real Redis, looked at by a client of the tests' own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from application.access.redis_counters import RedisCounters, open_redis
from tests.server.redis_server import redis_server
from tests.support.proxy import Proxy, proxying

KEY = "download-lambda:somebody"


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[redis.Redis]:
    with redis_server(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        yield client


def url(oracle: redis.Redis, proxy: Proxy | None = None) -> str:
    options = oracle.connection_pool.connection_kwargs
    port = proxy.url.rsplit(":", 1)[1] if proxy else options["port"]
    return f"redis://:{options['password']}@127.0.0.1:{port}/0"


@pytest.fixture
def counters(oracle: redis.Redis) -> Iterator[RedisCounters]:
    opened = open_redis(url(oracle))
    yield opened
    opened.close()


def test_a_window_begins_with_its_first_count_and_ends_by_itself(
    counters: RedisCounters, oracle: redis.Redis
) -> None:
    assert counters.count("somebody", 60) == (1, 60.0)
    assert oracle.get(KEY) == b"1"
    oracle.pexpire(KEY, 1500)
    count, left = counters.count("somebody", 60)
    assert count == 2
    assert 0 < left <= 1.5
    assert 0 < oracle.pttl(KEY) <= 1500
    oracle.pexpire(KEY, 0)
    assert counters.count("somebody", 60) == (1, 60.0)


def test_a_count_that_would_never_end_is_given_an_end(counters: RedisCounters, oracle: redis.Redis) -> None:
    oracle.set(KEY, 7)
    assert counters.count("somebody", 60) == (8, 60.0)
    assert 0 < oracle.ttl(KEY) <= 60


def test_a_redis_that_forgot_the_script_is_told_it_again(
    counters: RedisCounters, oracle: redis.Redis
) -> None:
    assert counters.count("somebody", 60)[0] == 1
    oracle.script_flush()
    assert counters.count("somebody", 60)[0] == 2


def test_the_longest_window_that_can_be_set_fits(counters: RedisCounters, oracle: redis.Redis) -> None:
    seconds = 999_999 * 86_400
    assert counters.count("somebody", seconds) == (1, float(seconds))
    assert oracle.ttl(KEY) >= seconds - 1


def test_a_count_whose_answer_is_lost_is_asked_for_again_and_counts_once(
    counters: RedisCounters, oracle: redis.Redis
) -> None:
    assert counters.count("somebody", 60)[0] == 1
    target = f"http://127.0.0.1:{oracle.connection_pool.connection_kwargs['port']}"
    with proxying(target) as proxy:
        through = open_redis(url(oracle, proxy))
        assert through.count("somebody", 60)[0] == 2
        through.close()
    # As many bytes but the last: the count has been made, and its answer does not arrive.
    with proxying(target, proxy.received - 1) as proxy:
        through = open_redis(url(oracle, proxy))
        assert through.count("somebody", 60)[0] == 3
        assert sum(b"EVALSHA" in data for data in proxy.requests) == 2
        assert through.count("somebody", 60)[0] == 4
        through.close()
    assert oracle.get(KEY) == b"4"
