"""Operators, orders and pairs of filters on every column of planning data, against plain Python."""

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.demo import make_demo
from application.demo.planning import PLANNING
from application.query.operators import OPERATORS
from application.query.planning_data import NAMED_FILTERS
from tests.support import oracle
from tests.support.serving import Served, serving_folder

pytestmark = pytest.mark.slow

NAMES = tuple(PLANNING)
# Of the largest dataset the first ones, for plain Python looks at each row hundreds of times.
MOST_ROWS = 240
PAIRS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, root = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("demo")
    for dataset in make_demo(made):
        if dataset.name not in NAMES:
            continue
        table = pq.read_table(dataset.path).slice(0, MOST_ROWS)
        pq.write_table(table, root / dataset.path.name, row_group_size=100)
    return root


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving_folder(folder) as server:
        yield server


def entities(server: Served, name: str, pairs: oracle.Pairs) -> list[int]:
    response = server.get(f"/{name}.ndjson", params=[*pairs, ("field", "entity")])
    assert response.status_code == 200, response.text
    return [int(line[len('{"entity":') : -1]) for line in response.text.splitlines()]


def told(value: Any) -> str:
    """A value as a URL has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value) if not isinstance(value, Decimal) else f"{value:f}"


def samples(rows: list[oracle.Row], column: str) -> list[str]:
    """The commonest value, and one in the middle, of those that there are."""
    values = [row[column] for row in rows if row[column] is not None]
    if not values:
        return []
    return list(dict.fromkeys(map(told, (max(set(values), key=values.count), values[len(values) // 2]))))


def questions(table: pa.Table, rows: list[oracle.Row]) -> list[tuple[str, str]]:
    """A filter for each column, operator and sample that fit each other."""
    found = []
    for field in table.schema:
        texts = [] if pa.types.is_nested(field.type) else samples(rows, field.name)
        vocabulary = NAMED_FILTERS[field.name].vocabulary if field.name in NAMED_FILTERS else ()
        for place, (name, row) in enumerate(OPERATORS.items()):
            if not row.applies(field.type):
                continue
            # One of them each, in turns.
            for text in [""] if row.takes == 0 else texts[place % 2 :][:1] or texts[:1]:
                if vocabulary and row.whole and text not in vocabulary:
                    continue
                sent = '"' + text.replace('"', '""') + '"' if name in {"in", "notin"} else text
                found.append((f"{field.name}__{name}", sent))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_operator_on_every_column_is_what_plain_python_finds(
    name: str, served: Served, folder: Path
) -> None:
    table = pq.read_table(folder / f"{name}.parquet")
    rows = table.to_pylist()
    asked = questions(table, rows)
    assert len(asked) > 150
    dice = random.Random(5)
    for pairs in [*([one] for one in asked), *(dice.sample(asked, 2) for _ in range(PAIRS))]:
        expected = [row["entity"] for row in oracle.chosen(rows, table.schema, pairs)]
        assert entities(served, name, pairs) == expected, pairs


@pytest.mark.parametrize("name", NAMES)
def test_every_column_puts_rows_in_the_order_of_plain_python(name: str, served: Served, folder: Path) -> None:
    table = pq.read_table(folder / f"{name}.parquet")
    rows = table.to_pylist()
    for column in table.column_names:
        if pa.types.is_nested(table.schema.field(column).type):
            continue
        for descending in (False, True):
            expected = [row["entity"] for row in oracle.ordered(rows, [(column, descending)])]
            pairs = [("sort", f"-{column}" if descending else column), ("limit", "150"), ("offset", "50")]
            assert entities(served, name, pairs) == expected[50:200], (column, descending)


@pytest.mark.parametrize("name", NAMES)
def test_periods_are_those_of_plain_python(name: str, served: Served, folder: Path) -> None:
    rows = pq.read_table(folder / f"{name}.parquet").to_pylist()
    today = dt.datetime.now(dt.UTC).date()
    for period in ("current", "historical"):
        expected = [row["entity"] for row in rows if oracle.in_period(row["end-date"], period, today)]
        assert entities(served, name, [("period", period)]) == expected
