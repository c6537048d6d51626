"""What to say of a name that is not there."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from application.models import Column

MOST_NAMES = 20
# Looking for the nearest of many names takes a while, and nobody reads more of them.
MOST_HINTS = 20


def hint(name: str, known: Collection[str], columns: Sequence[Column]) -> str:
    """The nearest of the known names, or else which columns there are."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    names = list(dict.fromkeys(column.name for column in columns))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"the columns are {', '.join(names[:MOST_NAMES])}{more}"


def no_column(name: str, columns: Sequence[Column], place: int = 0) -> str:
    """That no column has that name, and which one may be meant, in the first places of those of a request."""
    nothing = f"there is no column {name!r}"
    if place >= MOST_HINTS:
        return nothing
    return f"{nothing}; {hint(name, [column.name for column in columns], columns)}"
