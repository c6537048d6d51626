"""The readers of `sort`, `limit` and `offset`: rows in which order, how many, from where."""

from collections.abc import Sequence

from application.errors import ParameterProblem, QueryInvalid
from application.models import Column, Order
from application.query.hints import no_column
from application.query.names import ColumnNames, named
from application.query.schemas import Schema, names_schema
from application.query.values import has_grammar

DESCENDING = "-"
# The most that the engine counts to.
MOST_ROWS = (1 << 63) - 1
MOST_DIGITS = len(str(MOST_ROWS))


def order(texts: Sequence[str], _: object, columns: Sequence[Column]) -> tuple[Order, ...]:
    """The columns to sort by, first the one that counts most; raises QueryInvalid for each that cannot be."""
    names = ColumnNames(columns)
    found: dict[str, Order] = {}
    problems: list[str] = []
    for text in named(texts, _Shorthands(names)):
        try:
            item = _order(text, names, columns, len(problems))
            # What comes later is sorted already.
            found.setdefault(item.column.engine_name, item)
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise QueryInvalid([ParameterProblem("sort", problem) for problem in problems])
    return tuple(found.values())


def order_schema(columns: Sequence[Column]) -> Schema:
    """Names of columns that have an order, and each from its end."""
    names = ColumnNames(columns)
    known = dict.fromkeys(column.name for column in columns)
    spellings = [*known, *(f"{DESCENDING}{name}" for name in known)]
    return names_schema([text for text in spellings if text and _has_order(text, names, columns)])


def _has_order(text: str, names: ColumnNames, columns: Sequence[Column]) -> bool:
    try:
        return bool(_order(text, names, columns, 0))
    except ValueError:
        return False


class _Shorthands:
    """The names of columns, and each of them from its end."""

    def __init__(self, names: ColumnNames) -> None:
        self._names = names

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and (text in self._names or text.removeprefix(DESCENDING) in self._names)


def count(texts: Sequence[str], *_: object) -> int:
    """A number of rows; raises ValueError."""
    text = texts[0]
    digits = text.lstrip("0") or text[:1]
    if not (text.isascii() and text.isdigit()) or len(digits) > MOST_DIGITS or int(digits) > MOST_ROWS:
        raise ValueError(f"{text[:60]!r} is no number of rows: use a whole one, such as 100")
    return int(digits)


def _order(text: str, names: ColumnNames, columns: Sequence[Column], place: int) -> Order:
    base = text.removeprefix(DESCENDING)
    down = names.find(base) if base != text else ()
    if down and text in names:
        raise ValueError(f"{text!r} may be that column, or {base!r} from its end: sort by another column")
    # No other spelling of a name that begins with `_`: that would turn the order round.
    found = down or (names.find(text) if base == text or text in names else ())
    if not found:
        raise ValueError(no_column(base, columns, place))
    column = found[0]
    if len(found) > 1:
        raise ValueError(f"{len(found)} columns are named {column.name!r}: no sort can say which is meant")
    if not has_grammar(column.field.type):
        raise ValueError(f"column {column.name!r} holds {column.field.type} values, which have no order")
    if not column.exact:
        raise ValueError(f"column {column.name!r} holds values finer than a sort can compare")
    return Order(column, descending=bool(down))
