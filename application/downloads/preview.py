"""The first rows of a result, as pages show them: a small download that is kept and shared as others are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from application.downloads.plan import Request
from application.errors import (
    ColumnUnsupported,
    DatasetInvalid,
    DownloadError,
    EngineFailed,
    QueryInvalid,
    ResultTooLarge,
)
from application.formats import MAPPED_PREVIEW, PREVIEW, Format
from application.geometry.drawn import Sketch
from application.query.spelling import spelled
from application.telemetry import logger

if TYPE_CHECKING:
    from application.downloads.answers import Answers
    from application.downloads.downloads import Downloads
    from application.downloads.plan import Plan
    from application.downloads.terms import Terms
    from application.models import Column, Dataset, Query

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FirstRows:
    """Rows as the preview's encoder writes them, of these columns.

    ``sketch`` is where they are, None where nobody knows; ``areas`` are those that were asked for.
    """

    columns: tuple[Column, ...] = ()
    rows: tuple[Any, ...] = ()
    sketch: Sketch | None = None
    areas: tuple[Sketch, ...] = ()


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
    limit = most_rows if query.limit is None else min(query.limit, most_rows)
    asked = replace(query, limit=limit, dialect=None)
    first = replace(asked, columns=query.columns[:most_columns])
    if dataset.geometry:
        # What is wrong with the geometry, or with drawing it, keeps no other column from being shown.
        try:
            planned = await _planned(downloads, dataset, first, sent, MAPPED_PREVIEW)
            # Its geometry may be read for the map alone.
            return await _mapped(answers, *planned, terms, len(first.columns))
        except (ColumnUnsupported, DatasetInvalid, EngineFailed, QueryInvalid, ResultTooLarge) as error:
            logger.info("The first rows of dataset %r are shown without a picture: %s", dataset.name, error)
        except DownloadError:
            # Whatever is shown.
            raise
        except Exception:  # noqa: BLE001 - rows without a picture are better than none
            logger.exception("The first rows of dataset %r cannot be drawn", dataset.name)
    try:
        planned = await _planned(downloads, dataset, first, sent)
    except ColumnUnsupported:
        columns = await _showable(downloads, dataset, asked, sent, most_columns)
        if not columns:
            raise
        planned = await _planned(downloads, dataset, replace(asked, columns=columns), sent)
    plan, lines = await _lines(answers, *planned, terms)
    return FirstRows(plan.query.columns, tuple(lines))


async def _mapped(answers: Answers, request: Request, asked: Plan, terms: Terms, count: int) -> FirstRows:
    plan, (*rows, sketch) = await _lines(answers, request, asked, terms)
    areas = await asyncio.to_thread(_areas, plan)
    return FirstRows(plan.query.columns[:count], tuple(row[:count] for row in rows), Sketch.of(sketch), areas)


async def _lines(answers: Answers, request: Request, plan: Plan, terms: Terms) -> tuple[Plan, list[Any]]:
    import orjson

    answer = await answers.start(request, plan, terms)
    content = answer.content
    assert content is not None  # noqa: S101 - nothing was asked that leaves it out
    pieces = []
    with content:
        while data := await content.read(READ_BYTES):
            pieces.append(bytes(data))
    return answer.plan, [orjson.loads(line) for line in b"".join(pieces).splitlines()]


def _areas(plan: Plan) -> tuple[Sketch, ...]:
    from application.geometry.sketch import sketch_of

    return tuple(sketch_of(test.outline, test.outline_crs) for test in plan.tests)


async def _planned(
    downloads: Downloads,
    dataset: Dataset,
    query: Query,
    sent: Sequence[tuple[str, str]],
    chosen: Format = PREVIEW,
) -> tuple[Request, Plan]:
    request = Request(dataset.name, "", spelled(query, dataset.columns, None, sent), preview=chosen)
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
