"""All parameters of a request, read against a dataset's columns: its query, and what lies beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Dialect, Query, Shape
from application.query.filters import read_filters
from application.query.parameters import PARAMETERS, Parameter
from application.query.shape import FEATURE

MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """What was asked for: the query, and beside it what decides no bytes.

    ``missing`` are the chosen fields that the dataset lacks; ``filename`` is what to save it as.
    """

    query: Query
    missing: tuple[str, ...] = ()
    filename: str = ""


# What a request says beside its query.
BESIDE = tuple(field.name for field in fields(ParsedQuery) if field.name != "query")


def parse(
    pairs: Iterable[tuple[str, str]],
    columns: Sequence[Column],
    dialect: Dialect | None = None,
    shape: Shape | None = None,
) -> ParsedQuery:
    """Read query parameters, in any order, against a dataset's columns.

    ``dialect`` is the one of the format, ``shape`` how it has the dataset's geometry; None where it has
    none. Raises QueryInvalid with one entry for every parameter that cannot be used.
    """
    texts: dict[str, list[str]] = {}
    others = []
    for name, text in pairs:
        if name in PARAMETERS:
            texts.setdefault(name, []).append(text)
        else:
            others.append((name, text))
    everything = Query(tuple(columns))
    parts = {field.name: getattr(everything, field.name) for field in fields(everything)}
    parts |= {"dialect": dialect, "shape": shape}
    problems: list[ParameterProblem] = []
    try:
        parts["filters"] = read_filters(others, columns, PARAMETERS)
    except QueryInvalid as error:
        problems += error.problems
    for row in PARAMETERS.values():
        if row.name in texts:
            try:
                parts |= _read(row, texts[row.name], parts, columns)
            except QueryInvalid as error:
                problems += error.problems
    try:
        parts |= _shaped(parts["shape"], parts["columns"], is_asked=parts["shape"] != shape)
    except QueryInvalid as error:
        problems += error.problems
    if problems:
        raise QueryInvalid(_readable(problems))
    if parts["dialect"] == dialect:
        parts["dialect"] = None
    beside = {name: parts.pop(name) for name in BESIDE if name in parts}
    return ParsedQuery(Query(**parts), **beside)


def _readable(problems: list[ParameterProblem]) -> list[ParameterProblem]:
    """As many problems as anybody reads."""
    more = len(problems) - MOST_PROBLEMS
    if more <= 0:
        return problems
    return [*problems[:MOST_PROBLEMS], ParameterProblem("", f"and {more:,} more problems")]


def _shaped(shape: Shape | None, kept: tuple[Column, ...], *, is_asked: bool) -> dict[str, Any]:
    """The parts that follow from how the geometry column is written; raises QueryInvalid."""
    if shape is None or shape.form == FEATURE:
        return {}
    name = shape.geometry.column
    others = tuple(column for column in kept if column.name != name)
    if len(others) == len(kept):
        if is_asked and shape.form != "none":
            detail = f"what it says is of column {name!r}, which is not among the chosen fields"
            raise QueryInvalid([ParameterProblem("crs" if shape.crs else "geometry", detail)])
        return {"shape": None}
    if shape.form == "none":
        if not others:
            raise QueryInvalid([ParameterProblem("geometry", f"no column is left without {name!r}")])
        return {"shape": None, "columns": others}
    return {} if shape.changes else {"shape": None}


def _read(
    row: Parameter, texts: Sequence[str], parts: Mapping[str, Any], columns: Sequence[Column]
) -> dict[str, Any]:
    """The parts that a parameter decides; raises QueryInvalid."""
    if len(set(texts)) > 1 and not row.repeatable:
        problem = ParameterProblem(row.name, f"there is more than one {row.name!r}: say it once")
        raise QueryInvalid([problem])
    if row.is_of_text and parts["dialect"] is None:
        detail = f"{row.name!r} is for delimited text, csv and tsv: leave it out here"
        raise QueryInvalid([ParameterProblem(row.name, detail)])
    if row.is_of_shape and parts["shape"] is None:
        detail = f"{row.name!r} is for a dataset with geometry, and not for parquet: leave it out here"
        raise QueryInvalid([ParameterProblem(row.name, detail)])
    try:
        return {part: read(texts, parts.get(part), columns) for part, read in row.into.items()}
    except ValueError as error:
        raise QueryInvalid([ParameterProblem(row.name, str(error))]) from error
