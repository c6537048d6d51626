"""A field of a query, its parameter and its SQL, as a later version may add them."""

from dataclasses import dataclass
from typing import Any

import pytest

from application.engine import reads
from application.models import Query
from application.query import parameters, parsed, sql

ROW = parameters.Parameter("first", "the first rows", {"first": lambda texts, *_: int(texts[0])})


@dataclass(frozen=True, slots=True)
class Newcomer(Query):
    """A query of the first rows."""

    first: int | None = None


def to_sql(query: Query, *given: Any, **named: Any) -> tuple[str, list[Any]]:
    text, values = sql.to_sql(query, *given, **named)
    if not isinstance(query, Newcomer) or query.first is None:
        return text, values
    return f"{text} LIMIT ${len(values) + 1}", [*values, query.first]


def add_first(patch: pytest.MonkeyPatch) -> None:
    """Have the service know `first=N` until the patch is undone."""
    patch.setattr(parsed, "Query", Newcomer)
    patch.setitem(parameters.PARAMETERS, "first", ROW)
    patch.setattr(reads, "to_sql", to_sql)
