"""What somebody chooses in a dataset's form: read from a query, or from the controls that were sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl

from application.models import Column, Query
from application.pages.addresses import search
from application.pages.where import NOWHERE, Whereabouts
from application.query.filters import DEFAULT_OPERATOR, OPERATOR_MARK
from application.query.operators import OPERATORS
from application.query.order import DESCENDING
from application.query.readers import own_values
from application.query.spelling import filter_pairs, record
from application.query.values import is_text, value_type

# More columns are named in one field rather than ticked.
MOST_FIELDS = 100
# Controls, each with a number after it where there are several.
COLUMN, OPERATOR, VALUE, TICK = "column-", "operator-", "value-", "tick-"
FIELD, FIELDS, SORT, DESCENDS, LIMIT, PERIOD, KEPT = (
    "field",
    "fields",
    "sort",
    "descending",
    "limit",
    "period",
    "kept",
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One column, one operator, one value, as text."""

    column: str
    operator: str = DEFAULT_OPERATOR
    value: str = ""

    @property
    def is_untouched(self) -> bool:
        """True where it filters nothing."""
        row = OPERATORS.get(self.operator)
        return not self.value and not (row and row.takes == 0)

    def pair(self, columns: Mapping[str, Column]) -> tuple[str, str]:
        """The parameter that it is."""
        row, column, value = OPERATORS.get(self.operator), columns.get(self.column), self.value
        if row and row.takes == 0:
            value = "true"
        elif column is None or not is_text(value_type(column.field.type)):
            # Pasted with blanks around it.
            value = value.strip()
        return f"{self.column}{OPERATOR_MARK}{self.operator}", value


@dataclass(frozen=True, slots=True)
class Choices:
    """All that a form can say, as text. ``kept`` are parameters that have no control, carried along.

    ``fields`` are columns by name in their order, empty for all of them.
    """

    comparisons: tuple[Comparison, ...] = ()
    ticks: tuple[tuple[str, str], ...] = ()
    period: str = ""
    fields: tuple[str, ...] = ()
    sort: str = ""
    descending: bool = False
    limit: str = ""
    kept: tuple[tuple[str, str], ...] = ()
    where: Whereabouts = NOWHERE

    @classmethod
    def of_query(
        cls, query: Query, pairs: Sequence[tuple[str, str]], columns: Sequence[Column], ticked: Iterable[str]
    ) -> Self:
        """What a query chooses, whose parameters are these ``pairs``; ``ticked`` ones are by value."""
        where = Whereabouts.of_query(query)
        comparisons, ticks, said = [], [], set(where.pairs)
        few = set(ticked)
        for item in query.filters:
            row, own = OPERATORS[item.operator], filter_pairs(item, columns)
            if item.operator == DEFAULT_OPERATOR and item.column.name in few and "" not in item.values:
                ticks += [(item.column.name, value) for value in item.values]
            elif row.takes == 0:
                comparisons.append(Comparison(item.column.name, item.operator))
            elif row.read is own_values:
                comparisons.append(Comparison(item.column.name, item.operator, record(item.values)))
            elif "" not in item.values:
                # Several of a column and an operator mean what its repeated parameter means.
                comparisons += [Comparison(item.column.name, item.operator, value) for value in item.values]
            else:
                continue
            said |= set(own)
        first = query.order[0] if query.order else None
        names = tuple(dict.fromkeys(column.name for column in query.columns))
        is_whole = query.columns == tuple(columns)
        spoken = {LIMIT, PERIOD, FIELD, "exclude_field"}
        rest = [pair for pair in pairs if pair not in said and pair[0] not in spoken]
        if first:
            rest.remove((SORT, f"{DESCENDING if first.descending else ''}{first.column.name}"))
        return cls(
            tuple(comparisons),
            tuple(ticks),
            query.period.only if query.period else "",
            () if is_whole else names,
            first.column.name if first else "",
            bool(first and first.descending),
            "" if query.limit is None else str(query.limit),
            tuple(rest),
            where,
        )

    @classmethod
    def of_controls(cls, sent: Iterable[tuple[str, str]], columns: Sequence[Column]) -> Self:
        """What was sent by the form's controls; others are nothing to it."""
        given: dict[str, list[str]] = {}
        for name, value in sent:
            given.setdefault(name, []).append(value)

        def one(name: str) -> str:
            return given.get(name, [""])[0].strip()

        comparisons, ticks = [], []
        for name, values in given.items():
            if not name.startswith(COLUMN) or not values[0]:
                continue
            place, column = name.removeprefix(COLUMN), values[0]
            ticks += [(column, value) for value in given.get(TICK + place, ())]
            value = given.get(VALUE + place, [""])[0]
            operator = one(OPERATOR + place) or DEFAULT_OPERATOR
            comparisons.append(Comparison(column, operator, value))
        fields = tuple(given.get(FIELD, ()))
        if fields == tuple(dict.fromkeys(column.name for column in columns)):
            fields = ()
        if one(FIELDS):
            fields = (one(FIELDS),)
        kept = tuple(pair for text in given.get(KEPT, ()) for pair in parse_qsl(text, keep_blank_values=True))
        used = tuple(item for item in comparisons if not item.is_untouched)
        limit = one(LIMIT).replace(",", "")
        return cls(
            used,
            tuple(ticks),
            one(PERIOD),
            fields,
            one(SORT),
            bool(one(DESCENDS)),
            limit,
            kept,
            Whereabouts.of_controls(one),
        )

    def pairs(self, columns: Sequence[Column]) -> tuple[tuple[str, str], ...]:
        """The parameters that they mean, with no empty ones."""
        known = {column.name: column for column in columns}
        found = [item.pair(known) for item in self.comparisons]
        found += [(f"{name}{OPERATOR_MARK}{DEFAULT_OPERATOR}", value) for name, value in self.ticks]
        found += self.where.pairs
        found += [(PERIOD, self.period)] if self.period else []
        found += [(FIELD, name) for name in self.fields]
        found += [(SORT, f"{DESCENDING if self.descending else ''}{self.sort}")] if self.sort else []
        found += [(LIMIT, self.limit)] if self.limit else []
        replaced = self.where.replaced
        return (*found, *(pair for pair in self.kept if pair[0] not in replaced))

    @property
    def kept_texts(self) -> tuple[str, ...]:
        """What is carried along, a control each."""
        return tuple(search([pair]).removeprefix("?") for pair in self.kept)
