"""The controls of a dataset's form, as values that its template shows."""

from dataclasses import dataclass

from application.pages.where import Where


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose: its value, what it is called, whether it is chosen, how many rows have it.

    An operator that ``is_alone`` takes no value.
    """

    value: str
    words: str
    is_chosen: bool = False
    rows: int | None = None
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """A column to choose rows by: ticks where it has few values, else an operator and a value."""

    place: int
    column: str
    kind: str
    hint: str
    operators: tuple[Option, ...]
    value: str = ""
    example: str = ""
    suggestions: tuple[Option, ...] = ()
    ticks: tuple[Option, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a control, for the summary of problems."""

    control: str
    detail: str


@dataclass(frozen=True, slots=True)
class Form:
    """All controls of the form, in the order of the page.

    ``fields`` are columns to tick, or empty where there are so many that ``field_text`` takes their names,
    of which ``names`` are suggestions; ``free`` is a comparison whose column is named, too.
    """

    action: str
    periods: tuple[Option, ...]
    first: tuple[Control, ...]
    others: tuple[Control, ...]
    free: Control | None
    columns: int
    names: tuple[str, ...]
    fields: tuple[Option, ...]
    is_whole: bool
    field_text: str
    sorts: tuple[Option, ...]
    descending: bool
    limit: str
    kept: tuple[str, ...]
    where: Where | None = None
    problems: tuple[Problem, ...] = ()
