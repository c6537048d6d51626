"""What JSON and CSV are to say of a table, from pyarrow's own reading of it, value by value."""

import base64
import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

types = pa.types
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """Each row as the object that JSON has for it, numbers with a point as Decimal."""
    columns = {name: [value(item) for item in table[name]] for name in table.column_names}
    return [{name: column[row] for name, column in columns.items()} for row in range(table.num_rows)]


def value(scalar: Any) -> Any:
    """One value as JSON has it."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if isinstance(kind, pa.JsonType):
        return parsed(scalar.value.as_py())
    if isinstance(kind, pa.UuidType):
        return str(scalar.as_py())
    if types.is_dictionary(kind):
        return value(scalar.value)
    if types.is_struct(kind):
        return {field.name: value(scalar[place]) for place, field in enumerate(kind)}
    if types.is_map(kind):
        entries = scalar.values
        keys = [value(entry[0]) for entry in entries]
        return {str(key): value(entry[1]) for key, entry in zip(keys, entries, strict=True)}
    if types.is_nested(kind):
        return [value(item) for item in scalar.values]
    if types.is_timestamp(kind):
        return _moment(scalar.value, kind.unit) + ("Z" if kind.tz else "")
    if types.is_time(kind):
        return _moment(scalar.value, kind.unit).partition("T")[2]
    if types.is_duration(kind):
        return scalar.value
    if types.is_date(kind):
        return scalar.as_py().isoformat()
    if types.is_floating(kind):
        # Of as many digits as the column's own width needs.
        return (
            Decimal(str(scalar.cast(pa.string()))) if not types.is_float16(kind) else Decimal(scalar.as_py())
        )
    found = scalar.as_py()
    return base64.b64encode(found).decode() if isinstance(found, bytes) else found


def parsed(text: str) -> Any:
    """JSON with every digit of its numbers."""
    return json.loads(text, parse_float=Decimal)


def cells(text: str) -> list[dict[str, str]]:
    """The rows of CSV, as text."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def cell(table: pa.Table, name: str, text: str) -> Any:
    """A cell of CSV as the JSON value that it stands for, by the column's type."""
    kind = table.schema.field(name).type
    if text == "":
        # What an empty text is, csv.DictReader does not tell.
        return None
    if types.is_boolean(kind):
        return text == "true"
    if types.is_decimal(kind) or types.is_floating(kind):
        return Decimal(text)
    if types.is_integer(kind) or types.is_duration(kind):
        return int(text)
    is_json = isinstance(kind, pa.JsonType) or (types.is_nested(kind) and not types.is_dictionary(kind))
    return parsed(text) if is_json else text


def _moment(count: int, unit: str) -> str:
    digits = DIGITS[unit]
    seconds, fraction = divmod(count, 10**digits)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    return moment.isoformat() + (f".{fraction:0{digits}}" if digits else "")
