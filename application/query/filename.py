"""The reader of `filename`: what a download is saved as."""

import re
from collections.abc import Sequence

NAME = re.compile(r"[A-Za-z0-9._-]{1,150}", re.ASCII)


def filename(texts: Sequence[str], *_: object) -> str:
    """A name that every system can keep; raises ValueError."""
    text = texts[0]
    if not NAME.fullmatch(text) or not text.strip("."):
        raise ValueError(f"{text[:60]!r} is no file name: use at most 150 letters, digits, '.', '_' and '-'")
    return text
