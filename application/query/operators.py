"""The operators of filters as a table, a complete row each, and how a row's values become a condition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from application.models import Column
from application.query.comparisons import (
    compares,
    folded,
    is_in,
    is_not_in,
    not_blank_and,
)
from application.query.dates import after_text, first_text, span
from application.query.readers import first_day, last_day, no_value, own_value, own_values
from application.query.schemas import Schema, bound_schema, presence_schema, record_schema, value_schema
from application.query.values import ValueProblem, has_grammar, is_ordered, is_text, value_type

# What several values mean together, in SQL.
JOINS = {"any of": " OR ", "none of": " AND "}


def anything(_: pa.DataType) -> bool:
    """True: an operator for columns of every type."""
    return True


@dataclass(frozen=True, slots=True)
class TextDates:
    """How an operator compares a text column with an ISO date: with which bound, by which SQL."""

    bound: Callable[[str], str]
    sql: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Operator:
    """One way to choose rows by a column.

    ``words`` stand between column and value, for people. ``read`` makes a text into ``takes`` canonical
    values, or raises ValueProblem. ``sql`` is the condition on the quoted column for what one text was
    read into, a placeholder each; where ``takes`` is None, for all values of all texts at once.
    ``repeats`` is what several texts mean: the conditions of "any of" are ORed, those of "none of",
    which a negation has, are ANDed. ``whole`` says that values are whole ones of the column, so that a
    vocabulary holds for them. ``text_dates`` is for a value that is an ISO date, where the column holds
    text. ``nan`` says that it chooses NaN, which comes after all numbers and equals none, whatever the
    value. ``opposite`` is the operator that the value `false` stands for. ``schema`` is that of a text on a
    type that it applies to.
    """

    name: str
    words: str
    sql: Callable[..., str]
    applies: Callable[[pa.DataType], bool] = has_grammar
    read: Callable[[Column, str], tuple[str, ...]] = own_value
    takes: int | None = 1
    repeats: Literal["any of", "none of"] = "any of"
    whole: bool = False
    text_dates: TextDates | None = None
    nan: bool = False
    opposite: str | None = None
    schema: Callable[[pa.DataType], Schema] = value_schema

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

    def condition(
        self, kind: pa.DataType, column: str, values: Sequence[str], bind: Callable[[str], str]
    ) -> str:
        """The SQL of a filter on a quoted column of that type; ``bind`` makes a value a placeholder."""
        if self.takes is None:
            groups = [values]
        elif self.takes == 0:
            groups = [()]
        else:
            groups = [values[start : start + self.takes] for start in range(0, len(values), self.takes)]
        return JOINS[self.repeats].join(f"({self._one(kind, column, group, bind)})" for group in groups)

    def _one(self, kind: pa.DataType, column: str, values: Sequence[str], bind: Callable[[str], str]) -> str:
        dates = self.text_dates if is_text(value_type(kind)) and self.takes == 1 else None
        if dates and span(values[0]):
            return dates.sql(column, bind(dates.bound(values[0])))
        sql = self.sql(column, *(bind(value) for value in values))
        if not values or not pa.types.is_floating(value_type(kind)):
            return sql
        # Statistics know nothing of NaN: by them the engine skips rows that have it, or takes them along.
        return f"{sql} OR isnan({column})" if self.nan else f"({sql}) AND NOT isnan({column})"


OPERATORS: dict[str, Operator] = {
    row.name: row
    for row in (
        Operator("exact", "is", is_in, takes=None, whole=True),
        Operator("not", "is not", is_not_in, takes=None, repeats="none of", whole=True, nan=True),
        Operator(
            "gt",
            "is more than",
            compares(">"),
            is_ordered,
            last_day,
            schema=bound_schema,
            text_dates=TextDates(after_text, compares(">=")),
            nan=True,
        ),
        Operator(
            "gte",
            "is at least",
            compares(">="),
            is_ordered,
            first_day,
            schema=bound_schema,
            text_dates=TextDates(first_text, compares(">=")),
            nan=True,
        ),
        Operator(
            "lt",
            "is less than",
            compares("<"),
            is_ordered,
            first_day,
            schema=bound_schema,
            text_dates=TextDates(first_text, not_blank_and("<")),
        ),
        Operator(
            "lte",
            "is at most",
            compares("<="),
            is_ordered,
            last_day,
            schema=bound_schema,
            text_dates=TextDates(after_text, not_blank_and("<")),
        ),
        Operator("in", "is one of", is_in, read=own_values, takes=None, whole=True, schema=record_schema),
        Operator(
            "notin",
            "is none of",
            is_not_in,
            read=own_values,
            takes=None,
            repeats="none of",
            schema=record_schema,
            whole=True,
            nan=True,
        ),
        Operator("contains", "contains", lambda column, value: f"contains({column}, {value})", is_text),
        Operator(
            "notcontains",
            "does not contain",
            lambda column, value: f"{column} IS NULL OR NOT contains({column}, {value})",
            is_text,
            repeats="none of",
        ),
        Operator(
            "startswith", "starts with", lambda column, value: f"starts_with({column}, {value})", is_text
        ),
        Operator("endswith", "ends with", lambda column, value: f"ends_with({column}, {value})", is_text),
        Operator(
            "iexact",
            "is, in any case,",
            lambda column, value: f"{folded(column)} = {folded(value)}",
            is_text,
        ),
        Operator(
            "icontains",
            "contains, in any case,",
            lambda column, value: f"contains({folded(column)}, {folded(value)})",
            is_text,
        ),
        Operator(
            "istartswith",
            "starts, in any case, with",
            lambda column, value: f"starts_with({folded(column)}, {folded(value)})",
            is_text,
        ),
        Operator(
            "isnull",
            "has no value",
            lambda column: f"{column} IS NULL",
            anything,
            no_value,
            0,
            opposite="notnull",
            schema=presence_schema,
        ),
        Operator(
            "notnull",
            "has a value",
            lambda column: f"{column} IS NOT NULL",
            anything,
            no_value,
            0,
            opposite="isnull",
            schema=presence_schema,
        ),
        Operator(
            "isblank",
            "is not filled in",
            lambda column: f"{column} IS NULL OR {column} = ''",
            is_text,
            no_value,
            0,
            opposite="notblank",
            schema=presence_schema,
        ),
        Operator(
            "notblank",
            "is filled in",
            lambda column: f"{column} <> ''",
            is_text,
            no_value,
            0,
            opposite="isblank",
            schema=presence_schema,
        ),
    )
}
