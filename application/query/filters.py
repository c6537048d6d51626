"""`COLUMN=V` and `COLUMN__OP=V` against a dataset's columns: typed filters in a canonical order."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Filter
from application.query.hints import hint
from application.query.operators import OPERATORS
from application.query.planning_data import NAMED_FILTERS

OPERATOR_MARK = "__"
DEFAULT_OPERATOR = "exact"


def read_filters(
    pairs: Iterable[tuple[str, str]], columns: Sequence[Column], parameters: Collection[str]
) -> tuple[Filter, ...]:
    """Filters in one order for every spelling of them; raises QueryInvalid with all that cannot be used.

    ``parameters`` are the names that may have been meant by one that is no column.
    """
    by_name = {column.name: column for column in columns}
    uses = Counter(column.name for column in columns)
    # For each column and operator, the parameters as the client named them.
    wanted: dict[tuple[str, str], list[tuple[str, str]]] = {}
    problems: list[ParameterProblem] = []
    for name, text in pairs:
        column, operator = _split(name, by_name)
        if name in NAMED_FILTERS and not text:
            continue
        if column not in by_name:
            meant = hint(column, [*by_name, *parameters], columns)
            detail = f"{name!r} is neither a parameter nor a column of this dataset; {meant}"
            problems.append(ParameterProblem(name, detail))
        elif uses[column] > 1:
            detail = f"{uses[column]} columns are named {column!r}: no filter can say which is meant"
            problems.append(ParameterProblem(name, detail))
        else:
            wanted.setdefault((column, operator), []).append((name, text))
    filters = [
        _filter(by_name[column], operator, sent, problems) for (column, operator), sent in wanted.items()
    ]
    if problems:
        raise QueryInvalid(problems)
    return tuple(sorted(filters, key=lambda item: (item.column.name, item.operator)))


def _split(name: str, by_name: Collection[str]) -> tuple[str, str]:
    """`COLUMN__OP` as (column, operator); a column whose own name ends like an operator comes first."""
    column, mark, operator = name.rpartition(OPERATOR_MARK)
    if mark and operator in OPERATORS and name not in by_name:
        return column, operator
    return name, DEFAULT_OPERATOR


def _filter(
    column: Column, operator: str, sent: Sequence[tuple[str, str]], problems: list[ParameterProblem]
) -> Filter:
    """A filter of all that was sent for a column and operator; what cannot be read becomes a problem."""
    row, named = OPERATORS[operator], NAMED_FILTERS.get(column.name)
    vocabulary = named.vocabulary if named and row.whole else ()
    read = set()
    for name, text in sent:
        if vocabulary and text and text not in vocabulary:
            detail = f"{text!r} is no {column.name}: use one of {', '.join(vocabulary)}"
            problems.append(ParameterProblem(name, detail))
            continue
        try:
            read.add(row.values(column, text))
        except ValueError as problem:
            problems.append(ParameterProblem(name, f"column {column.name!r} {problem}"))
    return Filter(column, operator, row.canonical(read))
