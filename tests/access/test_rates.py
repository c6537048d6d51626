"""Counting in this process; tests/server/test_rate_limits.py counts in Redis."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from application.access.counters import Counters
from application.access.limiter import RateLimiter, open_limiter
from application.access.rates import Limit, Verdict, parse_rates
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
    now = 0.0
    limiter = RateLimiter(parse_rates("2/second"), clock=lambda: now)
    assert [hit(limiter).is_allowed for _ in range(3)] == [True, True, False]
    now = 0.99
    assert not hit(limiter).is_allowed
    now = 1.0
    assert [hit(limiter).is_allowed for _ in range(3)] == [True, True, False]


@given(now=st.floats(0, 1e10))
@example(now=13713.912319224348)  # an hour later has fewer digits, and is rounded up
def test_a_window_that_begins_lasts_no_longer_than_it_is(now: float) -> None:
    limiter = RateLimiter(parse_rates("2/hour"), clock=lambda: now)
    assert hit(limiter).quotas[0].reset_seconds == 3600
    limiter.close()


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
        ("100 / 5 minute", [Limit("100/5minute", 100, 300)]),
        ("1000/day; 10/second", [Limit("10/second", 10, 1), Limit("1000/day", 1000, 86400)]),
        ("10/minute;20/minute", [Limit("10/minute", 10, 60), Limit("20/minute", 20, 60)]),
        # One limit, or each request would be counted twice.
        ("10/minute;10/1minutes", [Limit("10/minute", 10, 60)]),
    ],
)
def test_limits_are_read_as_the_docs_write_them(text: str, limits: list[Limit]) -> None:
    assert list(parse_rates(text)) == limits
    assert list(parse_rates(";".join(limit.name for limit in limits))) == limits


@pytest.mark.parametrize(
    "text",
    [
        *(
            "10",
            "/minute",
            "ten/minute",
            "10/minutess",
            "10/fortnight",
            "10/month",
            "1.5/minute",
            "10 minute",
        ),
        *("0/minute", "-1/minute", "10/0minutes", "10/-5minutes", "1000000000/day", "10/1000000days"),
        *("10/minute;", ";10/minute", "10/minute,5/second", "10/minute 5/second", "10/minute;often"),
        *("10/minute\n", "10/ minute \t", "\u0661/minute"),
    ],
)
def test_a_limit_that_is_not_understood_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"RATE_LIMIT is not understood.*10/minute"):
        open_limiter(text, "memory")


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**9 - 1),
            st.integers(1, 10**6 - 1),
            st.sampled_from(["second", "minute", "hour", "day"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_every_limit_is_read_as_the_numbers_that_were_written(rates: list[tuple[int, int, str]]) -> None:
    limits = parse_rates("; ".join(f"{amount}/{multiple} {unit}s" for amount, multiple, unit in rates))
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
    found = [(limit.amount, limit.seconds) for limit in limits]
    written = {(amount, multiple, unit): multiple * seconds[unit] for amount, multiple, unit in rates}
    assert found == sorted(
        ((amount, length) for (amount, _, _), length in written.items()), key=lambda pair: pair[1]
    )


@pytest.mark.parametrize(
    "storage",
    [
        "redis",
        "http://host",
        "redis://",
        "redis://:s3cret@host:port",
        "redis://:s3cret@host/x?db=s3cret",
        "redis://:s3cret@host/s3cret",
        "redis://:s3cret@host/0?s3cret=1",
        "redis://:s3cret@host/0?ssl_ca_certs=s3cret",
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
    kept: dict[str, int] = {}
    for key in keys:
        if key not in kept and len(kept) == most:
            # The one whose window began first goes.
            del kept[next(iter(kept))]
        kept[key] = kept.get(key, 0) + 1
        count, left = counters.count(key, 60)
        assert count == kept[key]
        assert 0 < left <= 60
