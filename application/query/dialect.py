"""The readers of the parameters that say how delimited text is written."""

import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from application.models import Dialect

TRUTHS = {"true": True, "false": False}
LINE_ENDS = ("lf", "crlf")
PRESETS = {"excel": {"bom": True, "line_end": "crlf"}}
# ASCII, and none of what numbers, dates and times are written with, for these are not quoted.
DELIMITERS = frozenset(string.punctuation + "\t") - frozenset("\"'+-.:_")


def truth(member: str) -> Callable[..., Dialect]:
    """A reader of `true` or `false` into a member."""

    def read(texts: Sequence[str], dialect: Dialect, _: object) -> Dialect:
        if texts[0] not in TRUTHS:
            raise ValueError(f"{texts[0][:60]!r} is neither 'true' nor 'false'")
        members: dict[str, Any] = {member: TRUTHS[texts[0]]}
        return replace(dialect, **members)

    return read


def delimiter(texts: Sequence[str], dialect: Dialect, _: object) -> Dialect:
    """One character that stands between cells."""
    text = texts[0]
    if text not in DELIMITERS:
        raise ValueError(f"{text[:60]!r} is no delimiter: use one character, such as ; or | or a tab (%09)")
    return replace(dialect, delimiter=text)


def line_end(texts: Sequence[str], dialect: Dialect, _: object) -> Dialect:
    """What ends a record."""
    return replace(dialect, line_end=_one_of(texts[0], LINE_ENDS))


def preset(texts: Sequence[str], dialect: Dialect, _: object) -> Dialect:
    """Several of the others by one name; each said by itself counts more."""
    members: dict[str, Any] = PRESETS[_one_of(texts[0], PRESETS)]
    return replace(dialect, **members)


def _one_of(text: str, known: Any) -> Any:
    if text not in known:
        raise ValueError(f"{text[:60]!r} is not known: use {' or '.join(known)}")
    return text
