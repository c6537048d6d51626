"""Parameters and a schema in, a Query and its SQL out; a pure leaf.

Values are parsed by one strict grammar per type, because DuckDB would cast ``122.7`` to 123 and
``0x7A`` to 122 (docs/behaviour.md). Each value is bound as text and cast to the column's own type,
so that row groups are still skipped by their statistics.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Filter, Query
from application.query.values import ValueProblem, parser_for

QUALITIES = ("none", "some", "indicative", "authoritative", "usable", "trustworthy")
# An empty value of these means no filter: the planning-data front end sends `quality=`.
OPTIONAL_FILTERS = ("organisation-entity", "quality")
FIELD_PARAMETERS = ("field", "exclude_field")
OPERATOR_MARK = "__"
# DuckDB's own columns of read_parquet: the part's index, the row's number in it.
PLACES = ("file_index", "file_row_number")


@dataclass(frozen=True, slots=True)
class Operator:
    """How a filter reads in SQL, given the quoted column and one cast placeholder a value."""

    sql: Callable[[str, Sequence[str]], str]


OPERATORS: dict[str, Operator] = {
    "exact": Operator(lambda column, values: f"{column} IN ({', '.join(values)})"),
}


def parse(pairs: Iterable[tuple[str, str]], columns: Sequence[Column]) -> Query:
    """Read query parameters, in any order, against a dataset's columns.

    Raises QueryInvalid with one entry for every parameter that cannot be used.
    """
    by_name = {column.name: column for column in columns}
    chosen: list[str] = []
    excluded: list[str] = []
    wanted: dict[tuple[str, str], list[tuple[str, str]]] = {}
    problems: list[ParameterProblem] = []
    uses = Counter(column.name for column in columns)
    for name, value in pairs:
        if name == "field":
            chosen += [value] if value else []
        elif name == "exclude_field":
            excluded += [value] if value else []
        else:
            column, operator = _split(name, by_name)
            if name in OPTIONAL_FILTERS and not value:
                continue
            if column not in by_name:
                problems.append(ParameterProblem(name, _unknown(name, column, by_name)))
            elif uses[column] > 1:
                detail = f"{uses[column]} columns are named {column!r}: no filter can say which is meant"
                problems.append(ParameterProblem(name, detail))
            else:
                wanted.setdefault((column, operator), []).append((name, value))
    filters = _filters(wanted, by_name, problems)
    kept, missing = _choose(chosen, excluded, columns, problems)
    if problems:
        raise QueryInvalid(problems)
    return Query(kept, filters, missing)


def _split(name: str, by_name: dict[str, Column]) -> tuple[str, str]:
    """`COLUMN__OP` as (column, operator); a column whose own name ends like an operator comes first."""
    column, mark, operator = name.rpartition(OPERATOR_MARK)
    if mark and operator in OPERATORS and name not in by_name:
        return column, operator
    return name, "exact"


def _filters(
    wanted: dict[tuple[str, str], list[tuple[str, str]]],
    by_name: dict[str, Column],
    problems: list[ParameterProblem],
) -> tuple[Filter, ...]:
    """Typed filters in a canonical order, so that every spelling of one query is the same value.

    ``wanted`` has, for each column and operator, the parameters as the client named them.
    """
    filters = []
    for (name, operator), texts in wanted.items():
        values = set()
        for sent, text in texts:
            if name == "quality" and text not in QUALITIES and text:
                detail = f"{text!r} is no quality: use one of {', '.join(QUALITIES)}"
                problems.append(ParameterProblem(sent, detail))
                continue
            try:
                if not by_name[name].exact:
                    raise ValueProblem("holds values finer than a filter can compare")
                values.add(parser_for(by_name[name].field.type)(text))
            except ValueProblem as problem:
                problems.append(ParameterProblem(sent, f"column {name!r} {problem}"))
        filters.append(Filter(by_name[name], operator, tuple(sorted(values))))
    return tuple(sorted(filters, key=lambda item: (item.column.name, item.operator)))


def _choose(
    chosen: list[str], excluded: list[str], columns: Sequence[Column], problems: list[ParameterProblem]
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns to keep, all of a name that several have, and the chosen fields that the dataset lacks."""
    by_name = {column.name: column for column in columns}
    for name in excluded:
        if name not in by_name:
            problems.append(ParameterProblem("exclude_field", _no_column(name, by_name)))
    wanted = {name: place for place, name in enumerate(dict.fromkeys(chosen or by_name))}
    missing = tuple(name for name in wanted if name not in by_name)
    if missing and len(missing) == len(wanted):
        detail = f"none of the chosen fields exists: {_no_column(missing[0], by_name)}"
        problems.append(ParameterProblem("field", detail))
        return (), missing
    left = [column for column in columns if column.name in wanted and column.name not in excluded]
    kept = tuple(sorted(left, key=lambda column: wanted[column.name]) if chosen else left)
    if not kept:
        problems.append(ParameterProblem("exclude_field", "no column is left: exclude fewer fields"))
    return kept, missing


def _unknown(name: str, column: str, by_name: dict[str, Column]) -> str:
    """What to say of a parameter that is neither one of ours nor a column."""
    near = get_close_matches(column, [*by_name, *FIELD_PARAMETERS], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"the columns are {_names(by_name)}"
    return f"{name!r} is neither a parameter nor a column of this dataset; {hint}"


def _no_column(name: str, by_name: dict[str, Column]) -> str:
    near = get_close_matches(name, by_name, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"the columns are {_names(by_name)}"
    return f"there is no column {name!r}; {hint}"


def _names(by_name: dict[str, Column], most: int = 20) -> str:
    names = list(by_name)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
