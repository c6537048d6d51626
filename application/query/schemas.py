"""JSON Schema of the texts that parameters take: what an API document says, true to the grammars."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from application.models import Column
from application.query.values import is_text, value_type

Schema = dict[str, Any]

# Dates that the calendar has, from year 1 on; JSON Schema's `date` would take year 0 too.
YEAR = r"(?!0000)[0-9]{4}"
DAY_OF_ANY_YEAR = (
    r"([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
)
DAY = f"(?!0000){DAY_OF_ANY_YEAR}"
# A zone may take a moment to the year before or after.
ZONED_DAY = f"(?!0000|0001|9999){DAY_OF_ANY_YEAR}"
# In whole years that the engine's nanoseconds have, but for leap days.
NANOSECOND_DAY = (
    r"(16(7[89]|[89][0-9])|1[789][0-9]{2}|2[01][0-9]{2}|22([0-5][0-9]|6[01]))"
    r"-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
)
PARTIAL = rf"({DAY}|{YEAR}(-(0[1-9]|1[0-2]))?)"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
ZONE = r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# A value of a CSV record: bare, or in quotes that are doubled within.
CELL = r'((?!")[^,\r\n]*|"([^"]|"")*")'
# More zeros mean nothing.
MOST_ZEROS = 20
# Nobody excludes so many columns one by one, and a document that says so of each would be long.
MOST_SAID = 1000
EXAMPLE_DAY, EXAMPLE_TIME = "2024-02-29", "13:45:00"


def value_schema(kind: pa.DataType) -> Schema:
    """The texts that are values of an Arrow type, as ``values.parser_for`` reads them."""
    kind = value_type(kind)
    if pa.types.is_integer(kind):
        signed = pa.types.is_signed_integer(kind)
        low = -(1 << (kind.bit_width - 1)) if signed else 0
        return {"type": "integer", "minimum": low, "maximum": (1 << (kind.bit_width - signed)) - 1}
    if pa.types.is_floating(kind):
        most = {16: 65504.0, 32: 3.4028234663852886e38, 64: 1.7976931348623157e308}[kind.bit_width]
        return {"type": "number", "minimum": -most, "maximum": most}
    if pa.types.is_decimal(kind):
        return _decimal(kind)
    if pa.types.is_boolean(kind):
        return {"type": "boolean"}
    if pa.types.is_date(kind):
        return _pattern(DAY, EXAMPLE_DAY)
    if pa.types.is_time(kind):
        return _pattern(TIME, EXAMPLE_TIME)
    if pa.types.is_timestamp(kind):
        return _timestamp(kind)
    if isinstance(kind, pa.UuidType):
        return _pattern(UUID, "6f1e2a34-0000-4000-8000-1234567890ab")
    return {"type": "string"}


def bound_schema(kind: pa.DataType) -> Schema:
    """The texts to compare with: of dates also partial ones."""
    return _pattern(PARTIAL, "2024-03") if pa.types.is_date(value_type(kind)) else value_schema(kind)


def record_schema(kind: pa.DataType) -> Schema:
    """The texts that are one CSV record of values."""
    item = {"type": "string", "pattern": f"^{CELL}$"} if is_text(value_type(kind)) else value_schema(kind)
    return {"type": "array", "items": item, "minItems": 1}


def presence_schema(_: pa.DataType) -> Schema:
    """The texts of an operator that takes no value."""
    return {"type": "string", "enum": ["", "true", "false"]}


def columns_schema(columns: Sequence[Column]) -> Schema:
    """Names of columns."""
    return names_schema(_names(columns))


def most_columns_schema(columns: Sequence[Column]) -> Schema:
    """Names of columns, but not of all."""
    names = _names(columns)
    if not names or len(names) > MOST_SAID:
        return names_schema(names)
    # In any order, and repeated or not.
    all_of_them: Schema = {"allOf": [{"contains": {"const": name}} for name in names]}
    return names_schema(names) | {"not": all_of_them}


def names_schema(names: Sequence[str]) -> Schema:
    """These names, or any where there are none to be told."""
    return {"type": "array", "items": {"type": "string", **({"enum": list(names)} if names else {})}}


def constant(schema: Schema) -> Callable[[Sequence[Column]], Schema]:
    """A schema that no column changes."""
    return lambda _: schema


def _pattern(pattern: str, example: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$", "examples": [example]}


def _names(columns: Sequence[Column]) -> list[str]:
    # An empty text names none.
    return list(dict.fromkeys(column.name for column in columns if column.name))


def _timestamp(kind: pa.DataType) -> Schema:
    example = f"{EXAMPLE_DAY}T{EXAMPLE_TIME}"
    if kind.tz:
        return _pattern(f"{ZONED_DAY}([T ]{TIME}{ZONE})?", f"{example}Z")
    return _pattern(f"{NANOSECOND_DAY if kind.unit == 'ns' else DAY}([T ]{TIME})?", example)


def _decimal(kind: pa.DataType) -> Schema:
    zeros = f"0{{1,{MOST_ZEROS}}}"
    whole = kind.precision - kind.scale
    digits = f"[0-9]{{1,{whole}}}" if whole > 0 else zeros
    fraction = f"[0-9]{{1,{kind.scale}}}" if kind.scale > 0 else zeros
    return _pattern(rf"-?{digits}(\.{fraction})?", "0")
