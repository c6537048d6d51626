"""How many requests a client may make in a time, counted in this process or in Redis for all of them."""

import asyncio
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from urllib.parse import urlsplit

from limits import parse_many

from application.access.counters import Counters
from application.access.quotas import Limit, Quota, Verdict
from application.access.redis_counters import RedisCounters
from application.errors import ConfigurationError
from application.telemetry import logger

MEMORY = "memory"
SCHEMES = ("redis", "rediss")
# What an answer of Redis may take; a thousandth of it is usual.
REDIS_SECONDS = 0.5
# What a request waits at most, names looked up and connections made again.
PATIENCE_SECONDS = 1.0
# While Redis is away, one request in so many seconds tries it.
RETRY_SECONDS = 2.0
THREADS = 4


class Counting(Protocol):
    """What is needed of a storage of `limits`."""

    def incr(self, key: str, expiry: int, /) -> int:
        """Count once in the window of so many seconds; returns the count."""

    def get_expiry(self, key: str, /) -> float:
        """When the key's window ends, in seconds since the epoch."""


class RateLimiter:
    """Fixed windows: each begins with a client's first request, and ends after its seconds.

    When Redis is away this process counts by itself. The client of Redis blocks, in threads of its
    own, for one of asyncio's would belong to the event loop that first used it.
    """

    def __init__(self, limits: Sequence[Limit], redis: RedisCounters | None) -> None:
        # Shortest first: what it refuses is not counted by the longer ones.
        self.limits = tuple(sorted(limits, key=lambda limit: limit.seconds))
        self._memory = Counters()
        self._redis = redis
        self._threads = ThreadPoolExecutor(THREADS, "rate-limits")
        self._lock = threading.Lock()
        # The clock's time before which Redis is not tried, or None while it answers.
        self._away_until: float | None = None

    async def hit(self, client: str) -> Verdict:
        """Count a request of the client; waits for Redis at most PATIENCE_SECONDS, and never fails."""
        if self._redis is None or not self._may_try():
            return self._count(self._memory, client)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                loop = asyncio.get_running_loop()
                verdict = await loop.run_in_executor(self._threads, self._count, self._redis, client)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the service goes on
            self._is_away(error)
            return self._count(self._memory, client)
        self._is_back()
        return verdict

    def probe(self) -> None:
        """Find out in a thread whether Redis answers, so that the log says so at the start."""
        if self._redis is not None:
            self._threads.submit(self._try_once, self._redis)

    def close(self) -> None:
        """Let the connections and threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._redis is not None:
            self._redis.close()

    def _count(self, storage: Counting, client: str) -> Verdict:
        quotas = []
        for limit in self.limits:
            key = f"{client}/{limit.name}"
            count = storage.incr(key, limit.seconds)
            seconds = max(math.ceil(storage.get_expiry(key) - time.time()), 1)
            quotas.append(Quota(limit, max(limit.amount - count, 0), seconds))
            if count > limit.amount:
                return Verdict(False, tuple(quotas))
        return Verdict(True, tuple(quotas))

    def _try_once(self, redis: Counting) -> None:
        try:
            redis.get_expiry("probe")
        except Exception as error:  # noqa: BLE001 - as above
            self._is_away(error)

    def _may_try(self) -> bool:
        with self._lock:
            if self._away_until is None:
                return True
            now = time.monotonic()
            if now < self._away_until:
                return False
            self._away_until = now + RETRY_SECONDS
            return True

    def _is_away(self, error: Exception) -> None:
        with self._lock:
            first = self._away_until is None
            self._away_until = time.monotonic() + RETRY_SECONDS
        if first:
            # The error's text is left out: it may name the server.
            reason = type(error).__name__
            logger.warning("rate limits: Redis is away (%s); this process counts by itself", reason)

    def _is_back(self) -> None:
        with self._lock:
            was_away, self._away_until = self._away_until is not None, None
        if was_away:
            logger.warning("rate limits: Redis is back; all processes count together again")


def open_limiter(rate_limit: str, storage: str) -> RateLimiter:
    """A limiter for the settings' words; connects to nothing yet. Raises ConfigurationError."""
    return RateLimiter(_parse_limits(rate_limit), None if storage == MEMORY else _open_redis(storage))


def _parse_limits(text: str) -> list[Limit]:
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if not items or any(item.amount < 1 for item in items):
        raise ConfigurationError(
            "RATE_LIMIT is not understood: write a number and second, minute, hour or day, "
            "such as 10/minute or 100/5minutes; several with ; between, such as 10/minute;1000/day."
        )
    return [
        Limit(
            f"{item.amount}/{item.multiples if item.multiples > 1 else ''}{item.GRANULARITY.name}",
            item.amount,
            item.get_expiry(),
        )
        for item in items
    ]


def _open_redis(url: str) -> RedisCounters:
    refused = ConfigurationError(
        "RATE_LIMIT_STORAGE is not understood: write memory, redis://HOST:6379/0, or rediss:// and "
        "the same for TLS; a user and a password go before HOST, percent-encoded."
    )
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise refused
    # Most services have none, and start sooner without it.
    from limits.storage import RedisStorage
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        # Once more for a connection that was lost while idle, but not for what takes too long.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        "client_name": "download-lambda",
    }
    try:
        return RedisCounters(RedisStorage(url, key_prefix="download-lambda", **options))
    except ValueError:
        # Its text may hold a part of the URL.
        raise refused from None
