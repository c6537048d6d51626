"""Counting in this process; tests/server/test_rate_limits.py counts in Redis."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.access.counters import Counters
from application.access.quotas import Limit, Verdict
from application.access.rates import RateLimiter, open_limiter
from application.errors import ConfigurationError


def hit(limiter: RateLimiter, client: str = "somebody") -> Verdict:
    """A request in an event loop of its own, as TestClient makes them."""
    return asyncio.run(limiter.hit(client))


def test_as_many_requests_as_the_limit_says_are_allowed_and_no_more() -> None:
    limiter = open_limiter("3/hour", "memory")
    verdicts = [hit(limiter) for _ in range(5)]
    assert [verdict.is_allowed for verdict in verdicts] == [True, True, True, False, False]
    assert [verdict.quotas[0].remaining for verdict in verdicts] == [2, 1, 0, 0, 0]
    assert all(3595 <= verdict.quotas[0].reset_seconds <= 3600 for verdict in verdicts)


def test_each_client_has_a_limit_of_its_own() -> None:
    limiter = open_limiter("1/hour", "memory")
    assert hit(limiter, "a").is_allowed
    assert hit(limiter, "b").is_allowed
    assert not hit(limiter, "a").is_allowed


def test_a_window_that_has_passed_gives_the_whole_limit_again() -> None:
    limiter = open_limiter("2/second", "memory")
    assert [hit(limiter).is_allowed for _ in range(3)] == [True, True, False]
    time.sleep(1.05)
    assert [hit(limiter).is_allowed for _ in range(3)] == [True, True, False]


def test_what_a_short_limit_refuses_is_not_counted_by_a_longer_one() -> None:
    limiter = open_limiter("100/day;2/hour", "memory")
    verdicts = [hit(limiter) for _ in range(4)]
    assert [len(verdict.quotas) for verdict in verdicts] == [2, 2, 1, 1]
    assert verdicts[-1].quotas[0].limit == Limit("2/hour", 2, 3600)
    assert verdicts[1].quotas[1].remaining == 98


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("10/minute", [Limit("10/minute", 10, 60)]),
        ("10 per minute", [Limit("10/minute", 10, 60)]),
        ("100/5minutes", [Limit("100/5minute", 100, 300)]),
        ("1000/day; 10/second", [Limit("10/second", 10, 1), Limit("1000/day", 1000, 86400)]),
    ],
)
def test_limits_are_written_as_the_library_reads_them(text: str, limits: list[Limit]) -> None:
    limiter = open_limiter(text, "memory")
    assert list(limiter.limits) == limits
    assert list(open_limiter(";".join(limit.name for limit in limits), "memory").limits) == limits


@pytest.mark.parametrize("text", ["10", "ten/minute", "10/fortnight", "0/minute", "-1/minute", "10/minute;"])
def test_a_limit_that_is_not_understood_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"RATE_LIMIT is not understood.*10/minute"):
        open_limiter(text, "memory")


@pytest.mark.parametrize(
    "storage",
    [
        "redis",
        "http://host",
        "redis://",
        "redis://:s3cret@host:port",
        "redis://:s3cret@host/x?db=s3cret",
        "Memory",
    ],
)
def test_a_storage_that_is_not_understood_is_refused_without_being_told(storage: str) -> None:
    with pytest.raises(ConfigurationError, match="RATE_LIMIT_STORAGE is not understood") as raised:
        open_limiter("1/second", storage)
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(1, 6))
def test_counters_never_grow_beyond_their_number(keys: list[str], most: int) -> None:
    counters = Counters(most)
    for key in keys:
        assert counters.incr(key, 60) >= 1
        assert len(counters._windows) <= most
    if len(set(keys)) <= most:
        assert {key: counters._windows[key][0] for key in set(keys)} == {key: keys.count(key) for key in keys}
