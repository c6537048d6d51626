"""The form of a dataset's page: its controls as they are shown, filled with choices."""

from collections.abc import Iterable, Mapping, Sequence

from application.downloads.regions import Region
from application.models import Column, Dataset
from application.pages.choices import (
    COLUMN,
    FIELD,
    FIELDS,
    LIMIT,
    MOST_FIELDS,
    PERIOD,
    SORT,
    TICK,
    VALUE,
    Choices,
    Comparison,
)
from application.pages.controls import Control, Form, Option, Problem
from application.pages.where import control_of, make_where
from application.pages.words import Labels, kind_of
from application.query.filters import DEFAULT_OPERATOR, OPERATOR_MARK
from application.query.operators import OPERATORS, Operator
from application.query.order import order_schema
from application.query.period import END_COLUMN, PERIODS
from application.query.planning_data import NAMED_FILTERS
from application.query.schemas import value_schema
from application.query.spelling import record
from application.query.values import value_type

# At first so many columns to filter by; behind a summary as many as anybody looks through.
FIRST_COLUMNS, MOST_COLUMNS = 5, 60
MOST_NAMES = 1000
PERIOD_WORDS = {"current": "In force today", "historical": "No longer in force", "all": "All"}
# What says when a row ended.
DAYS = frozenset({"text", "date", "date and time"})
TRUTHS = ("true", "false")
# A value, and how many rows have it, None where nobody knows.
Frequent = tuple[str, int | None]


def make_form(
    action: str,
    dataset: Dataset,
    descriptions: Mapping[str, str],
    choices: Choices,
    *,
    labels: Labels,
    frequent: Mapping[str, Sequence[Frequent]],
    few: Iterable[str] = (),
    regions: Sequence[Region] = (),
    problems: Iterable[tuple[str, str]] = (),
) -> Form:
    """The form with these choices; ``problems`` are parameters that cannot be used, each with what is wrong.

    ``frequent`` are values by column; of the columns that are ``few`` these are all that they have.
    """
    names = tuple(dict.fromkeys(column.name for column in dataset.columns))
    wrong = dict(problems)
    ticked, left = set(few), dict(wrong)
    controls: list[Control] = []
    by_name = {column.name: column for column in dataset.columns}
    used = [item.column for item in choices.comparisons] + [name for name, _ in choices.ticks]
    order = dict.fromkeys([*used, *(name for name in names if descriptions.get(name)), *names])
    shown = [by_name[name] for name in order if name in by_name and name and _operators(by_name[name])]
    for column in shown[: max(MOST_COLUMNS, len(set(used)))]:
        own = [item for item in choices.comparisons if item.column == column.name]
        for comparison in own or [Comparison(column.name)]:
            name = f"{column.name}{OPERATOR_MARK}{comparison.operator}"
            problem = left.pop(name, "")
            values = frequent.get(column.name, ())
            controls.append(
                Control(
                    len(controls) + 1,
                    column.name,
                    kind_of(column),
                    descriptions.get(column.name, ""),
                    _operators(column, comparison.operator),
                    comparison.value,
                    _example(column),
                    _suggestions(column, values, labels.get(column.name, {})),
                    _ticks(column.name, values, choices, labels) if column.name in ticked else (),
                    _said(problem),
                )
            )
    begin = max(FIRST_COLUMNS, sum(not item.is_untouched for item in choices.comparisons))
    free = None
    if len(shown) > MOST_COLUMNS:
        every = tuple(_operator(row, DEFAULT_OPERATOR) for row in OPERATORS.values())
        free = Control(len(controls) + 1, "", "", "", every)
    is_many = len(names) > MOST_FIELDS
    chosen = [name for name in choices.fields if name in by_name] or list(names)
    options = dict.fromkeys([*chosen, *names])
    text = choices.fields[0] if is_many and len(choices.fields) == 1 else record(choices.fields)
    return Form(
        action,
        _periods(by_name, choices.period),
        tuple(controls[:begin]),
        tuple(controls[begin:]),
        free,
        len(names),
        names[:MOST_NAMES],
        () if is_many else tuple(Option(name, name, name in set(chosen)) for name in options if name),
        not choices.fields,
        text if is_many else "",
        _sorts(dataset, choices.sort),
        choices.descending,
        choices.limit,
        choices.kept_texts,
        make_where(choices.where, regions, wrong) if dataset.geometry else None,
        tuple(Problem(_control(name, controls, choices), _said(detail)) for name, detail in wrong.items()),
    )


def _said(detail: str) -> str:
    """What is wrong, beside the name of the column that it is about."""
    return detail.removeprefix("column ")


def _control(parameter: str, controls: Iterable[Control], choices: Choices) -> str:
    """The id of the control that a parameter came from."""
    if where := control_of(parameter, choices.where):
        return where
    if parameter in {LIMIT, SORT, PERIOD}:
        return parameter
    if parameter in {FIELD, "exclude_field"}:
        return FIELDS
    for control in controls:
        chosen = next((item.value for item in control.operators if item.is_chosen), "")
        if parameter in {control.column, f"{control.column}{OPERATOR_MARK}{chosen}"}:
            return f"{TICK if control.ticks else VALUE}{control.place}"
    return f"{COLUMN}1"


def _operators(column: Column, chosen: str = DEFAULT_OPERATOR) -> tuple[Option, ...]:
    """The operators that a column takes; none for what cannot be filtered."""
    if column.traits.geometry or column.traits.refusal or not column.engine_type:
        return ()
    kind = value_type(column.field.type)
    rows = [row for row in OPERATORS.values() if row.applies(kind) and (column.exact or row.takes == 0)]
    return tuple(_operator(row, chosen) for row in rows)


def _operator(row: Operator, chosen: str) -> Option:
    return Option(row.name, row.words, row.name == chosen, is_alone=row.takes == 0)


def _example(column: Column) -> str:
    found = value_schema(column.field.type).get("examples", [""])
    return str(found[0])


def _suggestions(column: Column, values: Sequence[Frequent], labels: Mapping[str, str]) -> tuple[Option, ...]:
    if kind_of(column) == "true or false":
        return tuple(Option(value, "") for value in TRUTHS)
    if values:
        return tuple(Option(value, labels.get(value, ""), rows=rows) for value, rows in values if value)
    named = NAMED_FILTERS.get(column.name)
    return tuple(Option(value, "") for value in (named.vocabulary if named else ()))


def _ticks(column: str, values: Sequence[Frequent], choices: Choices, labels: Labels) -> tuple[Option, ...]:
    chosen = {value for name, value in choices.ticks if name == column}
    known = labels.get(column, {})
    options = [
        Option(value, f"{known[value]} ({value})" if value in known else value, value in chosen, rows)
        for value, rows in values
        if value
    ]
    # What is chosen though nobody has it stays chosen.
    there = {item.value for item in options}
    return (*options, *(Option(value, value, True, 0) for value in sorted(chosen - there)))


def _periods(columns: Mapping[str, Column], chosen: str) -> tuple[Option, ...]:
    if END_COLUMN not in columns or kind_of(columns[END_COLUMN]) not in DAYS:
        return ()
    return tuple(
        Option("" if name == "all" else name, PERIOD_WORDS[name], name == (chosen or "all"))
        for name in PERIODS
    )


def _sorts(dataset: Dataset, chosen: str) -> tuple[Option, ...]:
    schema = order_schema(dataset.columns)["items"].get("enum", ())
    known = {column.name for column in dataset.columns}
    return tuple(Option(name, name, name == chosen) for name in schema if name in known)[:MOST_NAMES]
