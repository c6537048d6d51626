"""Columns as a workbook can hold them: numbers where a number says all of the value, else text."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from application.formats.delimited import cells
from application.formats.scalars import PER_SECOND, is_string, writable
from application.formats.xlsx_package import STYLE

types = pa.types

# Excel keeps 15 digits of a number, and neither subnormal numbers nor the very largest.
MOST_DIGITS = 15
LARGEST, SMALLEST = 9.99999999999999e307, 2.2250738585072014e-308
# Its days, counted from 1899-12-30 so that those from 1900-03-01 on are right, to the end of 9999.
EPOCH_DAYS = 25_569
FIRST_DAY, LAST_DAY = 61, 2_958_465
DAY_MS = 86_400_000
# What a number with a style looks like.
SHOWN = {
    STYLE[name]: text
    for name, text in {
        "date": "2024-01-31",
        "time": "13:45:00",
        "time.000": "13:45:00.000",
        "moment": "2024-01-31 13:45:00",
        "moment.000": "2024-01-31 13:45:00.000",
        "instant": "2024-01-31 13:45:00Z",
        "instant.000": "2024-01-31 13:45:00.000Z",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Values:
    """One column: digits of numbers, texts, or both, of which each row has at most one, or truths alone.

    ``styles`` are those of the numbers, by their index as text: one for all, or one for each row.
    """

    numbers: pa.Array | None = None
    texts: pa.Array | None = None
    truths: pa.Array | None = None
    styles: pa.Array | str = STYLE[""]


def values_of(column: pa.Array) -> Values:
    """Return a column as numbers, texts or truths; raises NoText for a value that is none of them."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
        return values_of(column.storage)
    if types.is_dictionary(kind):
        return values_of(column.dictionary.take(column.indices))
    if types.is_boolean(kind):
        return Values(truths=column)
    if types.is_integer(kind):
        return _integers(column)
    if types.is_duration(kind):
        return _integers(column.cast(pa.int64()))
    if types.is_floating(kind):
        return _reals(column.cast(pa.float32()) if types.is_float16(kind) else column)
    if types.is_decimal(kind):
        return _decimals(column)
    if types.is_date(kind):
        return _dates(column.cast(pa.date32()))
    if types.is_time(kind):
        return _times(column)
    if types.is_timestamp(kind):
        return _moments(column)
    texts = cells(column)
    return Values(texts=texts if is_string(texts.type) else texts.cast(pa.string()))


def longest(values: Values) -> int:
    """Return how many letters the longest value of a column takes where it is shown."""
    lengths = [len("FALSE") if values.truths is not None else 0]
    if values.texts is not None:
        lengths.append(pc.max(pc.utf8_length(values.texts)).as_py() or 0)
    if values.numbers is not None:
        is_one = isinstance(values.styles, str)
        styles = [values.styles] if is_one else pc.unique(values.styles).to_pylist()
        shown = [len(SHOWN[style]) for style in styles if style in SHOWN]
        lengths += shown or [pc.max(pc.binary_length(values.numbers)).as_py() or 0]
    return max(lengths)


def _either(
    column: pa.Array,
    numbers: pa.Array,
    says_all: pa.Array,
    texts: Callable[[], pa.Array],
    styles: pa.Array | str = STYLE[""],
) -> Values:
    """Take the numbers where they say all of a column's values, and the texts for the other ones."""
    numbers = numbers.cast(pa.string())
    # What nobody could tell is no number: a value is in one of both.
    is_number = says_all.fill_null(fill_value=False)
    if (pc.sum(is_number).as_py() or 0) == len(column) - column.null_count:
        return Values(numbers, styles=styles)
    absent = pa.scalar(None, pa.string())
    return Values(
        pc.if_else(is_number, numbers, absent),
        pc.if_else(is_number, absent, texts().cast(pa.string())),
        styles=styles,
    )


def _integers(column: pa.Array) -> Values:
    if column.type.bit_width < pa.int64().bit_width:
        return Values(column.cast(pa.string()))
    most = 10**MOST_DIGITS - 1
    within = pc.less_equal(column, pa.scalar(most, column.type))
    if types.is_signed_integer(column.type):
        within = pc.and_(within, pc.greater_equal(column, -most))
    return _either(column, column, within, lambda: column)


def _reals(column: pa.Array) -> Values:
    size = pc.abs(column).cast(pa.float64())
    within = pc.or_(
        pc.equal(size, 0.0), pc.and_(pc.less_equal(size, LARGEST), pc.greater_equal(size, SMALLEST))
    )
    return _either(column, column, within, lambda: column)


def _decimals(column: pa.Array) -> Values:
    texts = column.cast(pa.string())
    if column.type.precision <= MOST_DIGITS:
        return Values(texts)
    # Neither the zeros that end a fraction nor an exponent are digits of the value.
    digits = pc.replace_substring_regex(texts, r"E.*$|^-?0*", "")
    digits = pc.if_else(pc.match_substring(digits, "."), pc.utf8_rtrim(digits, "0"), digits)
    digits = pc.utf8_ltrim(pc.replace_substring(digits, ".", ""), "0")
    few = pc.less_equal(pc.binary_length(digits), MOST_DIGITS)
    return _either(column, texts, few, lambda: texts)


def _dates(column: pa.Array) -> Values:
    days = pc.add(column.cast(pa.int32()).cast(pa.int64()), EPOCH_DAYS)
    within = pc.and_(pc.greater_equal(days, FIRST_DAY), pc.less_equal(days, LAST_DAY))
    return _either(column, days, within, lambda: writable(column), STYLE["date"])


def _times(column: pa.Array) -> Values:
    within, thousandths = _thousandths(writable(column))
    styles = pc.if_else(_is_whole_second(thousandths), STYLE["time"], STYLE["time.000"])
    return _either(column, _days(thousandths), within, lambda: column, styles)


def _moments(column: pa.Array) -> Values:
    kind = column.type
    style = "moment" if kind.tz is None else "instant"
    within, thousandths = _thousandths(column)
    first, last = (FIRST_DAY - EPOCH_DAYS) * DAY_MS, (LAST_DAY + 1 - EPOCH_DAYS) * DAY_MS - 1
    in_range = pc.and_(pc.greater_equal(thousandths, first), pc.less_equal(thousandths, last))
    within = pc.and_kleene(within, in_range).fill_null(fill_value=False)
    thousandths = pc.add(pc.if_else(within, thousandths, None), EPOCH_DAYS * DAY_MS)
    styles = pc.if_else(_is_whole_second(thousandths), STYLE[style], STYLE[f"{style}.000"])
    return _either(column, _days(thousandths), within, lambda: cells(column), styles)


def _thousandths(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Whether each value is whole milliseconds, as Excel keeps them, and how many, if 64 bits hold that."""
    units = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64()).cast(pa.int64())
    per_second = PER_SECOND[column.type.unit]
    if per_second <= 1000:
        factor = 1000 // per_second
        most = 2**63 // factor - 1
        within = pc.and_(pc.less_equal(units, most), pc.greater_equal(units, -most))
        return within, pc.multiply(pc.if_else(within, units, None), factor)
    finer = per_second // 1000
    thousandths = pc.divide(units, finer)
    return pc.equal(pc.multiply(thousandths, finer), units), thousandths


def _is_whole_second(thousandths: pa.Array) -> pa.Array:
    return pc.equal(pc.multiply(pc.divide(thousandths, 1000), 1000), thousandths)


def _days(thousandths: pa.Array) -> pa.Array:
    # Both are whole numbers below 2**53, so the quotient is the nearest number there is.
    return pc.divide(thousandths.cast(pa.float64(), safe=False), float(DAY_MS))
