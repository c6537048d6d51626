"""Which objects under a dataset's prefix are its parts, and what their folders say: `year=2024/month=1/`."""

import re
from collections.abc import Sequence
from datetime import date
from urllib.parse import unquote

import pyarrow as pa

from application.models import ObjectMeta

SUFFIX = ".parquet"
# What Hive and Spark write for NULL.
NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
MOST = 1 << 63


def is_part(meta: ObjectMeta) -> bool:
    """False for what writers keep beside their data: `_temporary/…`, `_delta_log/…`, `.name.parquet`."""
    return meta.path.endswith(SUFFIX) and not is_hidden(meta.path)


def is_hidden(path: str) -> bool:
    """True where a folder or file within a dataset is a writer's own; `_year=2024` is a value."""
    _, *within = path.split("/")
    return any(name.startswith(".") or (name.startswith("_") and "=" not in name) for name in within)


def parts_of(found: Sequence[ObjectMeta]) -> tuple[ObjectMeta, ...]:
    """The parts among a dataset's objects, in their order, without the empty markers of folders."""
    folders = {folder for meta in found for folder in _above(meta.path)}
    return tuple(meta for meta in found if is_part(meta) and not (meta.size == 0 and meta.path in folders))


def folder_values(path: str) -> dict[str, str | None]:
    """The values that the folders of a part's path name, outermost first, as text or None for NULL."""
    values: dict[str, str | None] = {}
    for folder in path.split("/")[1:-1]:
        name, mark, value = folder.partition("=")
        if mark and (name := _decoded(name)):
            values[name] = None if value == NULL_FOLDER else _decoded(value)
    return values


def folder_type(values: Sequence[str | None]) -> pa.DataType:
    """The one type that folders' values have: integers, dates, or else text."""
    texts = {value for value in values if value is not None}
    if texts and all(INTEGER.fullmatch(text) and -MOST <= int(text) < MOST for text in texts):
        # Where `1` and `01` are two folders, they are no numbers.
        return pa.int64() if len({int(text) for text in texts}) == len(texts) else pa.string()
    return pa.date32() if texts and all(map(_is_date, texts)) else pa.string()


def _above(path: str) -> list[str]:
    return [path[:place] for place, letter in enumerate(path) if letter == "/"]


def _decoded(text: str) -> str:
    """The text of `%3A`; a name that is not so encoded stays as it is."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _is_date(text: str) -> bool:
    try:
        return bool(DATE.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False
