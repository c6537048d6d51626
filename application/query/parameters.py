"""Parameters and a schema in, a Query and its SQL out; a pure leaf.

Values are parsed by one strict grammar per type, because DuckDB would cast ``122.7`` to 123 and
``0x7A`` to 122 (docs/behaviour.md). Each value is bound as text and cast to the column's own type,
so that row groups are still skipped by their statistics.
"""

from collections.abc import Iterable, Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Filter, Query
from application.query.filters import read_filters
from application.query.hints import no_column

FIELD_PARAMETERS = ("field", "exclude_field")


def parse(pairs: Iterable[tuple[str, str]], columns: Sequence[Column]) -> Query:
    """Read query parameters, in any order, against a dataset's columns.

    Raises QueryInvalid with one entry for every parameter that cannot be used.
    """
    chosen: list[str] = []
    excluded: list[str] = []
    others: list[tuple[str, str]] = []
    problems: list[ParameterProblem] = []
    for name, value in pairs:
        if name == "field":
            chosen += [value] if value else []
        elif name == "exclude_field":
            excluded += [value] if value else []
        else:
            others.append((name, value))
    filters: tuple[Filter, ...] = ()
    try:
        filters = read_filters(others, columns, FIELD_PARAMETERS)
    except QueryInvalid as error:
        problems += error.problems
    kept, missing = _choose(chosen, excluded, columns, problems)
    if problems:
        raise QueryInvalid(problems)
    return Query(kept, filters, missing)


def _choose(
    chosen: list[str], excluded: list[str], columns: Sequence[Column], problems: list[ParameterProblem]
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns to keep, all of a name that several have, and the chosen fields that the dataset lacks."""
    by_name = {column.name: column for column in columns}
    for name in excluded:
        if name not in by_name:
            problems.append(ParameterProblem("exclude_field", no_column(name, columns)))
    wanted = {name: place for place, name in enumerate(dict.fromkeys(chosen or by_name))}
    missing = tuple(name for name in wanted if name not in by_name)
    if missing and len(missing) == len(wanted):
        detail = f"none of the chosen fields exists: {no_column(missing[0], columns)}"
        problems.append(ParameterProblem("field", detail))
        return (), missing
    left = [column for column in columns if column.name in wanted and column.name not in excluded]
    kept = tuple(sorted(left, key=lambda column: wanted[column.name]) if chosen else left)
    if not kept:
        problems.append(ParameterProblem("exclude_field", "no column is left: exclude fewer fields"))
    return kept, missing
