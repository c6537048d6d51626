"""Rates: how many requests in how long, as RATE_LIMIT writes them, and what a client has left."""

import re
from dataclasses import dataclass

from application.errors import ConfigurationError

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
# Digits of a number: what comes of them fits Redis, and a header field's integer.
RATE = re.compile(
    r"(?P<amount>[1-9][0-9]{0,8}) *(?:/|per) *(?P<multiple>[1-9][0-9]{0,5})? *"
    rf"(?P<unit>{'|'.join(SECONDS)})s?",
)


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


def parse_rates(text: str) -> tuple[Limit, ...]:
    """The limits of RATE_LIMIT, the shortest first, each once; raises ConfigurationError."""
    limits = dict.fromkeys(_limit(part.strip(" ")) for part in text.split(";"))
    return tuple(sorted(limits, key=lambda limit: limit.seconds))


def _limit(text: str) -> Limit:
    found = RATE.fullmatch(text)
    if not found:
        raise ConfigurationError(
            "RATE_LIMIT is not understood: write a number and second, minute, hour or day, "
            "such as 10/minute or 100/5minutes; several with ; between, such as 10/minute;1000/day."
        )
    amount, multiple, unit = int(found["amount"]), int(found["multiple"] or 1), found["unit"]
    return Limit(f"{amount}/{multiple if multiple > 1 else ''}{unit}", amount, multiple * SECONDS[unit])
