"""Counters in Redis, for all processes that name the same one."""

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from application.errors import ConfigurationError

if TYPE_CHECKING:
    from redis import Redis

SCHEMES = ("redis", "rediss")
DATABASE = re.compile(r"/?[0-9]*", re.ASCII)
PREFIX = "download-lambda"
# What an answer of Redis may take; a thousandth of it is usual.
REDIS_SECONDS = 0.5
# For how long a count is known again: longer than the client of Redis takes to repeat it.
KNOWN_SECONDS = 5
# In one step, for a count whose window never ends would refuse its client for good. The second key is this
# count's own: one whose answer was lost is asked for again, and counts once.
COUNT = """
local count = redis.call('GET', KEYS[2]) or redis.call('INCR', KEYS[1])
redis.call('SET', KEYS[2], count, 'PX', ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    left = tonumber(ARGV[1])
    redis.call('PEXPIRE', KEYS[1], left)
end
return {tonumber(count), left}
"""


class RedisCounters:
    """Fixed windows in Redis, each beginning with its first count; raises what the client of Redis raises."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._count = redis.register_script(COUNT)

    def count(self, key: str, seconds: int, /) -> tuple[int, float]:
        """Count once, in the window that runs or in a new one; returns its count and the seconds left."""
        window = f"{PREFIX}:{key}"
        # In braces: a cluster keeps both keys in one place.
        keys = [window, f"{{{window}}}:{secrets.token_hex(8)}"]
        found: Any = self._count(keys=keys, args=[seconds * 1000, KNOWN_SECONDS * 1000])
        return int(found[0]), int(found[1]) / 1000

    def close(self) -> None:
        """Let the connections go."""
        self._redis.close()


def open_redis(url: str) -> RedisCounters:
    """The counters of the Redis that RATE_LIMIT_STORAGE names; connects to nothing yet.

    Raises ConfigurationError, which tells nothing of the URL.
    """
    refused = ConfigurationError(
        "RATE_LIMIT_STORAGE is not understood: write memory, redis://HOST:6379/0, or rediss:// and "
        "the same for TLS; a user and a password go before HOST, percent-encoded."
    )
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not DATABASE.fullmatch(parts.path):
        raise refused
    # Most services have none, and start sooner without it.
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.retry import Retry

    try:
        redis = Redis.from_url(
            url,
            # The older protocol says all that is needed, in fewer words at the start of each connection.
            protocol=2,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            # Once more for a connection that was lost while idle, but not for what takes too long.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            client_name="download-lambda",
        )
        # Made and dropped: what the URL asks for and no connection takes is told now, not at each request.
        redis.connection_pool.make_connection()
    except (TypeError, ValueError):
        # Its text may hold a part of the URL.
        raise refused from None
    return RedisCounters(redis)
