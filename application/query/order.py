"""The readers of `sort`, `limit` and `offset`: rows in which order, how many, from where."""

from collections.abc import Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Order
from application.query.hints import no_column
from application.query.names import find_columns, named
from application.query.values import has_grammar

DESCENDING = "-"
# The most that the engine counts to.
MOST_ROWS = (1 << 63) - 1


def order(texts: Sequence[str], _: object, columns: Sequence[Column]) -> tuple[Order, ...]:
    """The columns to sort by, first the one that counts most; raises QueryInvalid for each that cannot be."""
    names = {column.name for column in columns}
    found: dict[str, Order] = {}
    problems: list[str] = []
    for text in named(texts, names | {DESCENDING + name for name in names}):
        try:
            item = _order(text, columns)
            # What comes later is sorted already.
            found.setdefault(item.column.engine_name, item)
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise QueryInvalid([ParameterProblem("sort", problem) for problem in problems])
    return tuple(found.values())


def count(texts: Sequence[str], *_: object) -> int:
    """A number of rows; raises ValueError."""
    text = texts[0]
    if not (text.isascii() and text.isdigit()) or int(text[:40]) > MOST_ROWS:
        raise ValueError(f"{text[:60]!r} is no number of rows: use a whole one, such as 100")
    return int(text)


def _order(text: str, columns: Sequence[Column]) -> Order:
    very = find_columns(text, columns)
    down = find_columns(text.removeprefix(DESCENDING), columns) if text.startswith(DESCENDING) else ()
    # Of a shorthand and a column of that very name, the name goes first; of two names, neither.
    if very and down and very[0].name == text:
        raise ValueError(
            f"{text!r} may be column {text!r}, or column {down[0].name!r} from its end: "
            "sort by another, or leave it out"
        )
    found, descending = (down, True) if down and not (very and very[0].name == text) else (very, False)
    if not found:
        raise ValueError(no_column(text.removeprefix(DESCENDING), columns))
    column = found[0]
    if len(found) > 1:
        raise ValueError(f"{len(found)} columns are named {column.name!r}: no sort can say which is meant")
    if not has_grammar(column.field.type):
        raise ValueError(f"column {column.name!r} holds {column.field.type} values, which have no order")
    if not column.exact:
        raise ValueError(f"column {column.name!r} holds values finer than a sort can compare")
    return Order(column, descending)
