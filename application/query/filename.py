"""The reader of `filename`: what a download is saved as."""

import re
from collections.abc import Sequence

# Not of dots alone, which are folders.
NAME = re.compile(r"\.*[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
LONGEST_NAME = 150


def filename(texts: Sequence[str], *_: object) -> str:
    """A name that every system can keep; raises ValueError."""
    text = texts[0]
    if not NAME.fullmatch(text) or len(text) > LONGEST_NAME:
        raise ValueError(
            f"{text[:60]!r} is no file name: use at most {LONGEST_NAME} letters, digits, '.', '_' and '-'"
        )
    return text
