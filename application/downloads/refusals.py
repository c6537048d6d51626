"""What is refused of a query by name, before anything runs."""

from typing import NoReturn

from application.engine.conform import can_be_read_again
from application.engine.windows import is_numbered
from application.errors import ColumnUnsupported, DatasetInvalid, ResultTooLarge
from application.formats import Format
from application.models import Column, Dataset, Query
from application.query.comparisons import MOST_COMPARED
from application.query.sql import PLACES, is_ordered


def check_columns(dataset: Dataset, query: Query, chosen: Format) -> None:
    """Refuse by name what cannot be written exactly; raises ColumnUnsupported and DatasetInvalid."""
    can_read_again = is_numbered(dataset)
    if is_ordered(query) and not can_read_again:
        raise ColumnUnsupported(
            f"A column named as row numbers are, {' or '.join(PLACES)}, keeps this dataset from being sorted,"
            f" and from being asked for more than {MOST_COMPARED} values of a column at once."
        )
    for column in query.columns:
        kind = column.field.type
        if column.traits.refusal:
            _refuse(column, column.traits.refusal)
        if not column.exact and not (can_be_read_again(kind) and can_read_again):
            _refuse(column, f"{kind} values, which cannot be read exactly")
    for column in query.columns_read:
        if column.traits.misplaced:
            raise DatasetInvalid(
                f"Column {column.name!r} is damaged: it does not lie within its file; leave it out with "
                f"exclude_field={column.name}."
            )
    chosen.check_columns(query.columns)


def check_rows(dataset: Dataset, query: Query, chosen: Format) -> None:
    """Refuse more rows than a file of the format holds, where the footers prove that there are.

    Raises ResultTooLarge.
    """
    if excess := excess_of(chosen, query.known_rows(dataset)):
        raise ResultTooLarge(excess)


def excess_of(chosen: Format, rows: int | None) -> str:
    """What to say where a file of the format holds fewer than so many rows; empty where it may hold them."""
    if chosen.most_rows is None or rows is None or rows <= chosen.most_rows:
        return ""
    return (
        f"There are {rows:,} rows, and a file of {chosen.extension} holds {chosen.most_rows:,}: filter "
        f"them, take so many at a time with limit={chosen.most_rows} and offset=N, or take csv."
    )


def _refuse(column: Column, what: str) -> NoReturn:
    raise ColumnUnsupported(
        f"Column {column.name!r} holds {what}; leave it out with exclude_field={column.name}."
    )
