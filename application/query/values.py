"""One strict grammar per type for values in a URL; text in, canonical text that DuckDB casts exactly out."""

import math
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, time

import pyarrow as pa

from application.query.dates import span

Parser = Callable[[str], str]

MICROSECOND_DIGITS = 6
SPOKEN_LENGTH = 60
INTEGER = re.compile(r"-?[0-9]{1,40}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,80}(\.[0-9]{1,80})?", re.ASCII)
FLOAT = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
# Never without a match: a bare cell may be empty.
CELL = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>(?!")[^,\r\n]*)')
TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?", re.ASCII)
TIMESTAMP = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([T ](?P<minute>[0-9]{2}:[0-9]{2})(?P<second>:[0-9]{2}(?P<fraction>\.[0-9]{1,9})?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-5][0-9])?)?",
    re.ASCII,
)
# What DuckDB casts to TIMESTAMP_NS, as canonical text: not quite all that the type holds.
NANOSECOND_RANGE = ("1677-09-21 00:12:43.145225", "2262-04-11 23:47:16.854775806")


class ValueProblem(ValueError):
    """A value that does not fit a column's type; the message completes 'column X …'."""


def parser_for(kind: pa.DataType) -> Parser:
    """The parser of values for columns of an Arrow type; raises ValueProblem where it has none."""
    kind = value_type(kind)
    for matches, make in GRAMMARS:
        if matches(kind):
            return make(kind)
    raise ValueProblem(f"holds {kind} values, which cannot be filtered")


def has_grammar(kind: pa.DataType) -> bool:
    """True for types of which a URL can hold values."""
    return any(matches(value_type(kind)) for matches, _ in GRAMMARS)


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of a column's values, which a dictionary only stores otherwise."""
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def is_text(kind: pa.DataType) -> bool:
    """True for types whose values are text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_ordered(kind: pa.DataType) -> bool:
    """True for types whose values come before and after each other, as people see it."""
    return any(is_of(kind) for is_of in ORDERED)


def read_record(text: str) -> list[str]:
    """The values of one CSV record (RFC 4180), of which an empty text has one; raises ValueProblem."""
    values, place = [], 0
    while cell := CELL.match(text, place):
        bare, quoted = cell.group("bare", "quoted")
        values.append(bare if quoted is None else quoted.replace('""', '"'))
        place = cell.end()
        if place == len(text):
            return values
        if text[place] != ",":
            break
        place += 1
    rest = text[place : place + SPOKEN_LENGTH]
    raise ValueProblem(
        'takes values as one record of CSV, such as a,"b, c", with quotes around what has a comma or a '
        f"line end and with quotes in it doubled, and {rest!r} is not like that"
    )


def _refuse(holds: str, example: str, text: str) -> ValueProblem:
    spoken = text if len(text) <= SPOKEN_LENGTH else text[:SPOKEN_LENGTH] + "…"
    return ValueProblem(f"holds {holds}, such as {example}, and {spoken!r} is not one")


def _integer(kind: pa.DataType) -> Parser:
    signed = pa.types.is_signed_integer(kind)
    low = -(1 << (kind.bit_width - 1)) if signed else 0
    high = (1 << (kind.bit_width - signed)) - 1

    def parse(text: str) -> str:
        if not INTEGER.fullmatch(text):
            raise _refuse("integers", "122", text)
        if not low <= int(text) <= high:
            raise ValueProblem(f"holds integers from {low} to {high}, and {text} is not one")
        return str(int(text))

    return parse


def _decimal(kind: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        if not DECIMAL.fullmatch(text):
            raise _refuse("decimal numbers", "12.5", text)
        whole, _, fraction = text.partition(".")
        digits, fraction = whole.lstrip("-0"), fraction.rstrip("0")
        if len(fraction) > kind.scale or len(digits) > kind.precision - kind.scale:
            limits = f"{kind.precision} digits, {kind.scale} of them after the point"
            raise ValueProblem(
                f"holds decimal numbers of at most {limits}, and {text[:SPOKEN_LENGTH]!r} has more"
            )
        # By text: Python's decimals round to 28 digits.
        sign = "-" if text.startswith("-") and (digits or fraction) else ""
        return f"{sign}{digits or '0'}" + (f".{fraction}" if fraction else "")

    return parse


def _float(kind: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        if not FLOAT.fullmatch(text):
            raise _refuse("numbers", "12.5", text)
        # Rounded once, to the column's own width, for the engine widens a 16-bit column to 32.
        value = float(pa.scalar(text).cast(kind).as_py())
        if math.isinf(value):
            raise ValueProblem(
                f"holds {kind.bit_width}-bit numbers, and {text[:SPOKEN_LENGTH]!r} is too large"
            )
        return repr(value + 0.0)

    return parse


def _boolean(_: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        if text not in {"true", "false"}:
            raise _refuse("booleans", "true or false", text)
        return text

    return parse


def _date(_: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        days = span(text)
        if days and days[0] == days[1]:
            return text
        if days:
            raise ValueProblem(
                f"holds whole dates, such as 2024-02-29, and {text!r} is part of one: "
                "ask from when with __gte, until when with __lte"
            )
        raise _refuse("dates", "2024-02-29", text)

    return parse


def _time(_: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        try:
            if TIME.fullmatch(text):
                return time.fromisoformat(text).isoformat()
        except ValueError:
            pass
        raise _refuse("times of day", "13:45:00", text)

    return parse


def _timestamp(kind: pa.DataType) -> Parser:
    zoned = kind.tz is not None
    digits = 9 if kind.unit == "ns" and not zoned else MICROSECOND_DIGITS
    example = "2024-02-29T13:45:00" + ("Z" if zoned else "")

    def parse(text: str) -> str:
        match = TIMESTAMP.fullmatch(text)
        if not match or (match["zone"] and not zoned):
            raise _refuse("timestamps with a zone" if zoned else "timestamps without a zone", example, text)
        fraction = (match["fraction"] or "").rstrip("0").rstrip(".")
        if len(fraction) > digits + 1:
            raise ValueProblem(
                f"holds timestamps of at most {digits} digits of a second, and {text!r} has more"
            )
        try:
            second = (match["second"] or "").partition(".")[0]
            moment = datetime.fromisoformat(
                f"{match['date']}T{match['minute'] or '00:00'}{second}{match['zone'] or ''}"
            )
            if zoned:
                moment = (moment if match["zone"] else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise _refuse("timestamps", example, text) from None
        canonical = f"{moment.replace(tzinfo=None).isoformat(sep=' ')}{fraction}"
        if digits > MICROSECOND_DIGITS and not NANOSECOND_RANGE[0] <= canonical <= NANOSECOND_RANGE[1]:
            raise ValueProblem(
                f"holds timestamps from {NANOSECOND_RANGE[0]} to {NANOSECOND_RANGE[1]}, "
                f"and {text!r} is not one"
            )
        return canonical + ("+00:00" if zoned else "")

    return parse


def _text(_: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueProblem("holds text, and the value is not valid Unicode")
        return text

    return parse


def _uuid(_: pa.DataType) -> Parser:
    def parse(text: str) -> str:
        try:
            if str(uuid.UUID(text)) == text.lower():
                return text.lower()
        except ValueError:
            pass
        raise _refuse("UUIDs", "6f1e2a34-0000-4000-8000-1234567890ab", text)

    return parse


GRAMMARS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], Parser]], ...] = (
    (is_text, _text),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_boolean, _boolean),
    (pa.types.is_date, _date),
    (pa.types.is_time, _time),
    (pa.types.is_timestamp, _timestamp),
    (lambda kind: isinstance(kind, pa.UuidType), _uuid),
)

# Types whose values have an order that people know.
ORDERED: tuple[Callable[[pa.DataType], bool], ...] = (
    is_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
)
