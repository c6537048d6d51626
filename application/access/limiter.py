"""How often clients asked, counted in this process or in Redis for all of them."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from application.access.counters import MOST_COUNTERS, Counters
from application.access.rates import Limit, Quota, Verdict, parse_rates
from application.access.redis_counters import RedisCounters, open_redis
from application.telemetry import logger

MEMORY = "memory"
# What a request waits at most, names looked up and connections made again.
PATIENCE_SECONDS = 1.0
# While Redis is away, one request in so many seconds tries it.
RETRY_SECONDS = 2.0
THREADS = 4


class Counting(Protocol):
    """Fixed windows, each beginning with its first count."""

    def count(self, key: str, seconds: int, /) -> tuple[int, float]:
        """Count once, in the window that runs or in a new one; returns its count and the seconds left."""


class RateLimiter:
    """Fixed windows: each begins with a client's first request, and ends after its seconds.

    What a limit refuses is not counted by those after it; ``clock`` tells seconds.
    When Redis is away this process counts by itself. The client of Redis blocks, in threads of its
    own, for one of asyncio's would belong to the event loop that first used it.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        redis: RedisCounters | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = tuple(limits)
        self._clock = clock
        self._memory = Counters(MOST_COUNTERS, clock)
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

    @property
    def is_alone(self) -> bool:
        """True while Redis does not answer, and this process counts by itself."""
        return self._away_until is not None

    def probe(self) -> None:
        """Find out in a thread whether Redis answers, so that the log says so at the start."""
        if self._redis is not None:
            self._threads.submit(self._try_once, self._redis)

    def close(self) -> None:
        """Let the connections and threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._redis is not None:
            self._redis.close()

    def _count(self, counters: Counting, client: str) -> Verdict:
        quotas = []
        for limit in self.limits:
            count, left = counters.count(f"{client}/{limit.name}", limit.seconds)
            # A clock's seconds are rounded: what is left of a window may come out longer than it is.
            seconds = min(max(math.ceil(left), 1), limit.seconds)
            quotas.append(Quota(limit, max(limit.amount - count, 0), seconds))
            if count > limit.amount:
                return Verdict(False, tuple(quotas))
        return Verdict(True, tuple(quotas))

    def _try_once(self, redis: Counting) -> None:
        try:
            # A count like any, for a Redis may answer and yet not let us count.
            redis.count("probe", 1)
        except Exception as error:  # noqa: BLE001 - as above
            self._is_away(error)

    def _may_try(self) -> bool:
        with self._lock:
            if self._away_until is None:
                return True
            now = self._clock()
            if now < self._away_until:
                return False
            self._away_until = now + RETRY_SECONDS
            return True

    def _is_away(self, error: Exception) -> None:
        with self._lock:
            first = self._away_until is None
            self._away_until = self._clock() + RETRY_SECONDS
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
    return RateLimiter(parse_rates(rate_limit), None if storage == MEMORY else open_redis(storage))
