"""What a rate limiter says; apart from it, because it takes a tenth of a second to import."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds; the name is in words that RATE_LIMIT takes, too: `10/minute`."""

    name: str
    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Quota:
    """What a client has left of a limit, and in how many seconds it has all of it again."""

    limit: Limit
    remaining: int
    reset_seconds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on, and the quotas that were looked at, the refusing one last."""

    is_allowed: bool
    quotas: tuple[Quota, ...]
