"""`COLUMN=V` and `COLUMN__OP=V` against a dataset's columns: typed filters in a canonical order."""

from collections.abc import Collection, Iterable, Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Filter
from application.query.hints import hint
from application.query.names import find_columns
from application.query.operators import OPERATORS
from application.query.planning_data import NAMED_FILTERS
from application.query.teaching import lesson

OPERATOR_MARK = "__"
DEFAULT_OPERATOR = "exact"


def read_filters(
    pairs: Iterable[tuple[str, str]], columns: Sequence[Column], parameters: Collection[str]
) -> tuple[Filter, ...]:
    """Filters in one order for every spelling of them; raises QueryInvalid with all that cannot be used.

    ``parameters`` are the names that may have been meant by one that is no column.
    """
    # For each column and operator, the parameters as the client named them.
    wanted: dict[tuple[Column, str], list[tuple[str, str]]] = {}
    problems: list[ParameterProblem] = []
    for name, text in pairs:
        if not text and name.replace("_", "-") in NAMED_FILTERS:
            continue
        try:
            column, operator = _meant(name, columns, parameters)
        except ValueError as problem:
            problems.append(ParameterProblem(name, str(problem)))
            continue
        opposite = OPERATORS[operator].opposite if text == "false" else None
        sent = (name, "") if opposite else (name, text)
        wanted.setdefault((column, opposite or operator), []).append(sent)
    filters = [_filter(column, operator, sent, problems) for (column, operator), sent in wanted.items()]
    if problems:
        raise QueryInvalid(problems)
    return tuple(sorted(filters, key=lambda item: (item.column.name, item.operator)))


def _meant(name: str, columns: Sequence[Column], parameters: Collection[str]) -> tuple[Column, str]:
    """The column and the operator that a parameter's name means; raises ValueError with a sentence.

    A column's very name goes before every shorthand, then comes `COLUMN__OP`, then another spelling.
    """
    base, mark, operator = name.rpartition(OPERATOR_MARK)
    has_operator = bool(mark) and operator in OPERATORS
    names = {column.name for column in columns}
    found: tuple[Column, ...] = ()
    if has_operator and name not in names:
        found = find_columns(base, columns)
    if not found:
        found, operator = find_columns(name, columns), DEFAULT_OPERATOR
    if not found:
        taught = lesson(name, columns) or hint(base if has_operator else name, [*names, *parameters], columns)
        raise ValueError(f"{name!r} is neither a parameter nor a column of this dataset; {taught}")
    if len(found) > 1:
        raise ValueError(
            f"{len(found)} columns are named {found[0].name!r}: no filter can say which is meant"
        )
    return found[0], operator


def _filter(
    column: Column, operator: str, sent: Sequence[tuple[str, str]], problems: list[ParameterProblem]
) -> Filter:
    """A filter of all that was sent for a column and operator; what cannot be read becomes a problem."""
    row, named = OPERATORS[operator], NAMED_FILTERS.get(column.name)
    vocabulary = named.vocabulary if named and row.whole else ()
    read = set()
    for name, text in sent:
        try:
            values = row.values(column, text)
        except ValueError as problem:
            taught = lesson(f"{name}={text}", [column])
            detail = f"column {column.name!r} {problem}" + (f"; {taught}" if taught else "")
            problems.append(ParameterProblem(name, detail))
            continue
        unknown = [value for value in values if vocabulary and value and value not in vocabulary]
        problems += [
            ParameterProblem(name, f"{value!r} is no {column.name}: use one of {', '.join(vocabulary)}")
            for value in unknown
        ]
        read.add(values)
    return Filter(column, operator, row.canonical(read))
