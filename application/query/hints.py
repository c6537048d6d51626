"""What to say of a name that is not there."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from application.models import Column

MOST_NAMES = 20
# Looking for the nearest of many names takes a while, and nobody reads more of them.
MOST_HINTS = 20
# Less alike, and the nearest is a guess.
LIKENESS = 0.6


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like it, whatever their case; None where none is."""
    by_fold: dict[str, str] = {}
    for item in known:
        by_fold.setdefault(item.casefold(), item)
    near = get_close_matches(name.casefold(), by_fold, n=1, cutoff=LIKENESS)
    return by_fold[near[0]] if near else None


def hint(name: str, known: Iterable[str], columns: Sequence[Column], ending: str = "") -> str:
    """The nearest of the known names, with an ending, or else which columns there are."""
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near + ending!r}?"
    names = list(dict.fromkeys(column.name for column in columns))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"the columns are {', '.join(names[:MOST_NAMES])}{more}"


def no_column(name: str, columns: Sequence[Column], place: int = 0) -> str:
    """That no column has that name, and which one may be meant, in the first places of those of a request."""
    nothing = f"there is no column {name!r}"
    if place >= MOST_HINTS:
        return nothing
    return f"{nothing}; {hint(name, [column.name for column in columns], columns)}"
