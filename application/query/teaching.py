"""The words of other systems, which are never accepted: each with the spelling that is right here."""

import re
from collections.abc import Sequence

from application.models import Column
from application.query.names import ColumnNames, reached

# A word of another system, and how the same is said here; {column} is a column of this dataset.
WORDS: dict[str, str] = {
    "$limit": "limit=100",
    "rows": "limit=100",
    "page_size": "limit=100",
    "per_page": "limit=100",
    "size": "limit=100",
    "top": "limit=100",
    "$top": "limit=100",
    "max_rows": "limit=100",
    "_limit": "limit=100",
    "maxfeatures": "limit=100",
    "count": "limit=100",
    "$offset": "offset=100",
    "start": "offset=100",
    "skip": "offset=100",
    "$skip": "offset=100",
    "_offset": "offset=100",
    "startindex": "offset=100",
    "page": "limit=100 and offset=100",
    "$select": "field={column}",
    "select": "field={column}",
    "columns": "field={column}",
    "fields": "field={column}",
    "cols": "field={column}",
    "_col": "field={column}",
    "_nocol": "exclude_field={column}",
    "exclude": "exclude_field={column}",
    "$order": "sort={column} or sort=-{column}",
    "order": "sort={column} or sort=-{column}",
    "order_by": "sort={column} or sort=-{column}",
    "orderby": "sort={column} or sort=-{column}",
    "$orderby": "sort={column} or sort=-{column}",
    "sortby": "sort={column} or sort=-{column}",
    "sort_by": "sort={column} or sort=-{column}",
    "ordering": "sort={column} or sort=-{column}",
    "_sort": "sort={column}",
    "_sort_desc": "sort=-{column}",
    "$where": "{column}=VALUE, or {column}__OPERATOR=VALUE",
    "where": "{column}=VALUE, or {column}__OPERATOR=VALUE",
    "$filter": "{column}=VALUE, or {column}__OPERATOR=VALUE",
    "filter": "{column}=VALUE, or {column}__OPERATOR=VALUE",
    "filters": "{column}=VALUE, or {column}__OPERATOR=VALUE",
    "cql": "{column}=VALUE, or {column}__OPERATOR=VALUE",
    "refine": "{column}=VALUE",
    "$q": "{column}__icontains=WORD",
    "q": "{column}__icontains=WORD",
    "query": "{column}__icontains=WORD",
    "search": "{column}__icontains=WORD",
    "_search": "{column}__icontains=WORD",
    "encoding": "bom=true where Excel is to know that it is UTF-8",
    "sep": "delimiter=;",
    "separator": "delimiter=;",
    "delim": "delimiter=;",
    "headers": "header=false",
    "_header": "header=false",
    "format": "the extension in the path, such as DATASET.csv",
    "f": "the extension in the path, such as DATASET.csv",
    "_format": "the extension in the path, such as DATASET.csv",
    "exclude_fields": "exclude_field={column}",
}
# An operator of another system, by its ending or its prefix, and ours.
OPERATOR_WORDS: dict[str, str] = {
    "ge": "gte",
    "le": "lte",
    "eq": "exact",
    "ne": "not",
    "neq": "not",
    "like": "contains",
    "ilike": "icontains",
    "is": "isnull",
    "iendswith": "endswith",
    "regex": "contains",
    "match": "contains",
    "range": "gte",
    "differs": "not",
    "greater": "gte",
    "less": "lte",
    "strictly_greater": "gt",
    "strictly_less": "lt",
    "isnotnull": "notnull",
    "null": "isnull",
    "not_in": "notin",
    "nin": "notin",
    "gt": "gt",
    "gte": "gte",
    "lt": "lt",
    "lte": "lte",
    "not": "not",
    "in": "in",
    "exact": "exact",
}
# What such a word means after `not.`; the others have no negation of their own.
NEGATIONS = {"exact": "not", "in": "notin", "contains": "notcontains", "isnull": "notnull"}
# PostgREST puts the operator before the value, Django and its kin after the name.
BEFORE_VALUE = re.compile(r"(?P<name>[^=]+)=(?P<no>not\.)?(?P<operator>[a-z]+)\.(?P<value>.*)", re.DOTALL)
BRACKETS = re.compile(r"(?P<name>[^\[]+)(?P<mark>\[)(?P<operator>[a-z_]+)\]")


def lesson(asked: str, columns: Sequence[Column]) -> str | None:
    """How a parameter of another system, `name` or `name=value`, is said here; None where it is none."""
    if said := WORDS.get(asked.lower()):
        return f"here it is {said.format(column=_example(columns))}"
    before = BEFORE_VALUE.fullmatch(asked)
    ours = OPERATOR_WORDS.get(before["operator"]) if before else None
    if before and before["no"]:
        ours = NEGATIONS.get(ours or "")
    if before and ours:
        return f"here it is {before['name']}__{ours}={_plain(ours, before['value'])[:60]}"
    brackets = BRACKETS.fullmatch(asked)
    name, _, operator = brackets.group("name", "mark", "operator") if brackets else asked.rpartition("__")
    ours = OPERATOR_WORDS.get(operator)
    # Where ours is spelt alike, it is the column that is not there.
    if ours and (brackets or ours != operator) and reached(name, ColumnNames(columns)):
        return f"here it is {name}__{ours}"
    return None


def _plain(operator: str, value: str) -> str:
    """A value without the signs that another system's operator has in it."""
    if operator in {"in", "notin"}:
        return value.removeprefix("(").removesuffix(")")
    if operator in {"isnull", "notnull"}:
        return "true"
    return value.strip("*%") if "contains" in operator else value


def _example(columns: Sequence[Column]) -> str:
    return columns[0].name if columns else "COLUMN"
