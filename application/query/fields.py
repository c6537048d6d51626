"""The readers of `field` and `exclude_field`: which columns are kept, in which order."""

from collections.abc import Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column
from application.query.hints import no_column


def chosen(texts: Sequence[str], kept: tuple[Column, ...], columns: Sequence[Column]) -> tuple[Column, ...]:
    """The fields that were chosen, in that order, all columns of a name that several have.

    Empty texts choose nothing. Raises QueryInvalid where none of the fields exists.
    """
    wanted = _names(texts)
    if not wanted:
        return kept
    found = [column for column in kept if column.name in wanted]
    if not found:
        detail = f"none of the chosen fields exists: {no_column(next(iter(wanted)), columns)}"
        raise QueryInvalid([ParameterProblem("field", detail)])
    return tuple(sorted(found, key=lambda column: wanted[column.name]))


def missing(texts: Sequence[str], _: object, columns: Sequence[Column]) -> tuple[str, ...]:
    """The chosen fields that the dataset lacks."""
    names = {column.name for column in columns}
    return tuple(name for name in _names(texts) if name not in names)


def left(texts: Sequence[str], kept: tuple[Column, ...], columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that are kept without those named; raises QueryInvalid for unknown names, or none left."""
    names = {column.name for column in columns}
    excluded = _names(texts)
    problems = [
        ParameterProblem("exclude_field", no_column(name, columns)) for name in excluded if name not in names
    ]
    found = tuple(column for column in kept if column.name not in excluded)
    if not found:
        problems.append(ParameterProblem("exclude_field", "no column is left: exclude fewer fields"))
    if problems:
        raise QueryInvalid(problems)
    return found


def _names(texts: Sequence[str]) -> dict[str, int]:
    """The names in their order, each with its place."""
    return {name: place for place, name in enumerate(dict.fromkeys(filter(None, texts)))}
