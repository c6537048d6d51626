"""The readers of `field` and `exclude_field`: which columns are kept, in which order."""

from collections.abc import Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column
from application.query.hints import no_column
from application.query.names import ColumnNames, named


def chosen(texts: Sequence[str], kept: tuple[Column, ...], columns: Sequence[Column]) -> tuple[Column, ...]:
    """The fields that were chosen, in that order, all columns of a name that several have.

    Empty texts choose nothing. Raises QueryInvalid where none of the fields exists.
    """
    names = ColumnNames(columns)
    wanted = named(texts, names)
    if not wanted:
        return kept
    found = _columns(wanted, names)
    if not found:
        said = [no_column(name, columns, place) for place, name in enumerate(wanted)]
        raise QueryInvalid(
            [ParameterProblem("field", f"none of the chosen fields exists: {each}") for each in said]
        )
    return found


def missing(texts: Sequence[str], _: object, columns: Sequence[Column]) -> tuple[str, ...]:
    """The chosen fields that the dataset lacks."""
    names = ColumnNames(columns)
    return tuple(name for name in named(texts, names) if not names.find(name))


def left(texts: Sequence[str], kept: tuple[Column, ...], columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that are kept without those named; raises QueryInvalid for unknown names, or none left."""
    names = ColumnNames(columns)
    wanted = named(texts, names)
    unknown = [name for name in wanted if not names.find(name)]
    problems = [
        ParameterProblem("exclude_field", no_column(name, columns, place))
        for place, name in enumerate(unknown)
    ]
    excluded = {column.engine_name for column in _columns(wanted, names)}
    found = tuple(column for column in kept if column.engine_name not in excluded)
    if not found:
        problems.append(ParameterProblem("exclude_field", "no column is left: exclude fewer fields"))
    if problems:
        raise QueryInvalid(problems)
    return found


def _columns(wanted: Sequence[str], names: ColumnNames) -> tuple[Column, ...]:
    """The columns of these names in their order, once each."""
    # By the engine's names, of which each column has its own: not every Arrow type can be hashed.
    return tuple({column.engine_name: column for name in wanted for column in names.find(name)}.values())
