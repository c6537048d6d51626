"""The first rows of a result, as pages show them: a small download that is kept and shared as others are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from application.downloads.plan import Request
from application.errors import ColumnUnsupported
from application.query.spelling import spelled

if TYPE_CHECKING:
    from application.downloads.answers import Answers
    from application.downloads.downloads import Downloads
    from application.downloads.plan import Plan
    from application.downloads.terms import Terms
    from application.models import Column, Dataset, Query

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FirstRows:
    """Rows as the preview's encoder writes them, of these columns."""

    columns: tuple[Column, ...] = ()
    rows: tuple[Any, ...] = ()


async def first_rows(
    downloads: Downloads,
    answers: Answers,
    dataset: Dataset,
    query: Query,
    sent: Sequence[tuple[str, str]],
    *,
    terms: Terms,
    most_rows: int,
    most_columns: int,
) -> FirstRows:
    """At most so many rows and columns of a query; columns that cannot be shown are left out.

    Raises what the production raises.
    """
    import orjson

    limit = most_rows if query.limit is None else min(query.limit, most_rows)
    asked = replace(query, limit=limit, dialect=None)
    try:
        request, plan = await _planned(
            downloads, dataset, replace(asked, columns=query.columns[:most_columns]), sent
        )
    except ColumnUnsupported:
        columns = await _showable(downloads, dataset, asked, sent, most_columns)
        if not columns:
            raise
        request, plan = await _planned(downloads, dataset, replace(asked, columns=columns), sent)
    answer = await answers.start(request, plan, terms)
    content = answer.content
    assert content is not None  # noqa: S101 - nothing was asked that leaves it out
    pieces = []
    with content:
        while data := await content.read(READ_BYTES):
            pieces.append(bytes(data))
    rows = tuple(orjson.loads(line) for line in b"".join(pieces).splitlines())
    return FirstRows(answer.plan.query.columns, rows)


async def _planned(
    downloads: Downloads, dataset: Dataset, query: Query, sent: Sequence[tuple[str, str]]
) -> tuple[Request, Plan]:
    request = Request(dataset.name, "", spelled(query, dataset.columns, None, sent), preview=True)
    return request, await downloads.planned(request)


async def _showable(
    downloads: Downloads, dataset: Dataset, query: Query, sent: Sequence[tuple[str, str]], most: int
) -> tuple[Column, ...]:
    found: list[Column] = []
    for column in query.columns:
        if len(found) == most:
            break
        try:
            await _planned(downloads, dataset, replace(query, columns=(column,)), sent)
        except ColumnUnsupported:
            continue
        found.append(column)
    return tuple(found)
