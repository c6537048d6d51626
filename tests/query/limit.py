"""A field of a query, its parameter and its SQL, as a later version may add them."""

from dataclasses import dataclass
from typing import Any

import pytest

from application.engine import scan
from application.models import Query
from application.query import parameters, sql

ROW = parameters.Parameter("limit", "at most so many rows", {"limit": lambda texts, *_: int(texts[0])})


@dataclass(frozen=True, slots=True)
class Limited(Query):
    """A query of at most so many rows."""

    limit: int | None = None


def to_sql(query: Query, *given: Any, **named: Any) -> tuple[str, list[Any]]:
    text, values = sql.to_sql(query, *given, **named)
    if not isinstance(query, Limited) or query.limit is None:
        return text, values
    return f"{text} LIMIT ${len(values) + 1}", [*values, query.limit]


def add_limit(patch: pytest.MonkeyPatch) -> None:
    """Have the service know `limit=N` until the patch is undone."""
    patch.setattr(parameters, "Query", Limited)
    patch.setitem(parameters.PARAMETERS, "limit", ROW)
    patch.setattr(scan, "to_sql", to_sql)
