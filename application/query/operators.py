"""The operators of filters as a table, a complete row each, and how a row's values become a condition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from application.models import Column
from application.query.values import ValueProblem, has_grammar, parser_for, value_type

# What several values mean together, in SQL.
JOINS = {"any of": " OR ", "none of": " AND "}


def own_value(column: Column, text: str) -> tuple[str, ...]:
    """One value of the column's own type; raises ValueProblem."""
    if column.traits.refusal:
        raise ValueProblem(f"holds {column.traits.refusal}, so it cannot be filtered")
    if not column.exact:
        raise ValueProblem("holds values finer than a filter can compare")
    return (parser_for(column.field.type)(text),)


@dataclass(frozen=True, slots=True)
class Operator:
    """One way to choose rows by a column.

    ``words`` stand between column and value, for people. ``read`` makes a text into ``takes`` canonical
    values, or raises ValueProblem. ``sql`` is the condition on the quoted column for what one text was
    read into, a placeholder each; where ``takes`` is None, for all values of all texts at once.
    ``repeats`` is what several texts mean: the conditions of "any of" are ORed, those of "none of",
    which a negation has, are ANDed. ``whole`` says that values are whole ones of the column, so that a
    vocabulary holds for them.
    """

    name: str
    words: str
    sql: Callable[..., str]
    applies: Callable[[pa.DataType], bool] = has_grammar
    read: Callable[[Column, str], tuple[str, ...]] = own_value
    takes: int | None = 1
    repeats: Literal["any of", "none of"] = "any of"
    whole: bool = False

    def __post_init__(self) -> None:
        # A row whose SQL and values do not fit each other would fail on every dataset.
        for count in (1, 2) if self.takes is None else (self.takes,):
            values = [f"<{place}>" for place in range(count)]
            made = self.sql("column", *values)
            if not all(value in made for value in values):
                raise ValueError(f"the SQL of operator {self.name!r} leaves a value out")

    def values(self, column: Column, text: str) -> tuple[str, ...]:
        """What a text is read into; raises ValueProblem, or whatever ValueError ``read`` raises."""
        if column.traits.geometry:
            raise ValueProblem("holds geometry, which cannot be filtered")
        kind = value_type(column.field.type)
        if not self.applies(kind):
            possible = [row.name for row in OPERATORS.values() if row.applies(kind)]
            if not possible:
                raise ValueProblem(f"holds {kind} values, which cannot be filtered")
            others = f"those that do are {', '.join(possible)}"
            raise ValueProblem(f"holds {kind} values, to which {self.name!r} does not apply; {others}")
        values = self.read(column, text)
        if not (values if self.takes is None else len(values) == self.takes):
            wanted = "at least one value" if self.takes is None else f"{self.takes} values"
            raise ValueProblem(f"takes {wanted} with {self.name!r}, not {len(values)}")
        return values

    def canonical(self, read: set[tuple[str, ...]]) -> tuple[str, ...]:
        """What all texts were read into as one sequence, alike for every order and repeat of them."""
        if self.takes is None:
            return tuple(sorted({value for values in read for value in values}))
        return tuple(value for values in sorted(read) for value in values)

    def condition(self, column: str, placeholders: Sequence[str]) -> str:
        """The SQL of a filter, from the quoted column and a placeholder for each of its canonical values."""
        takes = self.takes
        groups = (
            [placeholders[start : start + takes] for start in range(0, len(placeholders), takes)]
            if takes
            else [placeholders]
        )
        return JOINS[self.repeats].join(f"({self.sql(column, *group)})" for group in groups)


OPERATORS: dict[str, Operator] = {
    row.name: row
    for row in (
        Operator(
            "exact",
            "is",
            # One IN: as many conditions with OR take far longer (docs/architecture.md).
            lambda column, *values: f"{column} IN ({', '.join(values)})",
            takes=None,
            whole=True,
        ),
    )
}
