"""Conditions on a quoted column as SQL, of which the table of operators is made."""

from collections.abc import Callable

# Of more values the engine makes a join, which is faster by far and keeps no order (docs/architecture.md).
MOST_COMPARED = 50


def folded(text: str) -> str:
    """SQL of a text as it is compared whatever its case: Unicode lower case, and ς = σ, ſ = s, ß = ss."""
    # İ is the one letter that the engine's lower() makes another of than Unicode.
    lower = f"lower(replace({text}, 'İ', 'i̇'))"
    return f"replace(replace(replace({lower}, 'ς', 'σ'), 'ſ', 's'), 'ß', 'ss')"


def is_in(column: str, *values: str) -> str:
    """A column that is one of these values."""
    if len(values) > MOST_COMPARED:
        return f"{column} IN ({', '.join(values)})"
    return " OR ".join(f"{column} = {value}" for value in values)


def is_not_in(column: str, *values: str) -> str:
    """A column that is none of these values, NULL among them."""
    return f"{column} IS NULL OR NOT ({is_in(column, *values)})"


def compares(sign: str) -> Callable[[str, str], str]:
    """A column on that side of a value."""
    return lambda column, value: f"{column} {sign} {value}"


def not_blank_and(sign: str) -> Callable[[str, str], str]:
    """A column of text on that side of a value, the empty text on neither."""
    return lambda column, value: f"{column} {sign} {value} AND {column} <> ''"
