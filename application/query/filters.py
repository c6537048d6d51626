"""`COLUMN=V` and `COLUMN__OP=V` against a dataset's columns: typed filters in a canonical order."""

from collections.abc import Collection, Iterable, Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Filter
from application.query.hints import MOST_HINTS, hint, nearest
from application.query.names import ColumnNames, NameProblem, reached
from application.query.operators import OPERATORS
from application.query.planning_data import NAMED_FILTERS
from application.query.teaching import lesson
from application.query.values import value_type

# What the engine plans in a moment; the values of `exact`, `in` and their negations are one condition.
MOST_CONDITIONS = 1000
OPERATOR_MARK = "__"
DEFAULT_OPERATOR = "exact"
NOTHING = "{!r} is neither a parameter nor a column of this dataset"


def read_filters(
    pairs: Iterable[tuple[str, str]], columns: Sequence[Column], parameters: Collection[str]
) -> tuple[Filter, ...]:
    """Filters in one order for every spelling of them; raises QueryInvalid with all that cannot be used.

    ``parameters`` are the names that may have been meant by one that is no column.
    """
    # For each column and operator, the parameters as the client named them.
    names = ColumnNames(columns)
    # By the engine's name of the column, for not every Arrow type can be hashed.
    wanted: dict[tuple[str, str], tuple[Column, list[tuple[str, str]]]] = {}
    problems: list[ParameterProblem] = []
    unknown: set[str] = set()
    for name, text in pairs:
        if not text and name.replace("_", "-") in NAMED_FILTERS:
            continue
        try:
            column, operator = meant(name, names)
        except NameProblem as problem:
            problems.append(ParameterProblem(name, str(problem)))
            continue
        if column is None:
            if name not in unknown:
                is_taught = len(unknown) < MOST_HINTS
                said = _unknown(name, columns, names, parameters) if is_taught else ""
                problems.append(ParameterProblem(name, NOTHING.format(name) + said))
            unknown.add(name)
            continue
        opposite = OPERATORS[operator].opposite if text == "false" else None
        sent = (name, "") if opposite else (name, text)
        wanted.setdefault((column.engine_name, opposite or operator), (column, []))[1].append(sent)
    filters = [_filter(column, operator, sent, problems) for (_, operator), (column, sent) in wanted.items()]
    if problems:
        raise QueryInvalid(problems)
    if sum(map(_conditions, filters)) > MOST_CONDITIONS:
        detail = (
            f"there are more than {MOST_CONDITIONS:,} conditions; `in` and `notin` take many values as one"
        )
        raise QueryInvalid([ParameterProblem("", detail)])
    return tuple(sorted(filters, key=lambda item: (item.column.name, item.operator)))


def meant(name: str, names: ColumnNames) -> tuple[Column | None, str]:
    """The column and the operator that a parameter's name means, None where no column has it.

    A column's very name goes before every shorthand, then comes `COLUMN__OP`, then another spelling.
    Raises NameProblem where it may be more than one column.
    """
    base, mark, operator = name.rpartition(OPERATOR_MARK)
    found: tuple[Column, ...] = ()
    if mark and operator in OPERATORS and name not in names:
        found = names.find(base)
    if not found:
        found, operator = names.find(name), DEFAULT_OPERATOR
    if len(found) > 1:
        raise NameProblem(
            f"{len(found)} columns are named {found[0].name!r}: no filter can say which is meant"
        )
    return (found[0] if found else None), operator


def _conditions(item: Filter) -> int:
    """How many conditions of SQL a filter is."""
    takes = OPERATORS[item.operator].takes
    return len(item.values) // takes if takes else 1


def _unknown(name: str, columns: Sequence[Column], names: ColumnNames, parameters: Collection[str]) -> str:
    """What may have been meant by a parameter that is nothing here."""
    if taught := lesson(name, columns):
        return f"; {taught}"
    known = list(dict.fromkeys(column.name for column in columns))
    base, mark, operator = name.rpartition(OPERATOR_MARK)
    if mark and operator in OPERATORS:
        return f"; {hint(base, known, columns, mark + operator)}"
    if mark and (column := reached(base, names)):
        kind = value_type(column.field.type)
        possible = [row.name for row in OPERATORS.values() if row.applies(kind)]
        near = nearest(operator, possible)
        ours = f"did you mean {base + mark + near!r}?" if near else f"its operators are {', '.join(possible)}"
        return f", though {base!r} is a column; {ours}"
    return f"; {hint(name, [*known, *parameters], columns)}"


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
            taught = lesson(f"{column.name}={text}", [column])
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
