"""Row groups that a filter is known to choose whole are read without it, to the rows that Python finds."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.datasets.catalogue import Catalogue
from application.engine import spans
from application.engine.cancellation import Cancellation
from application.engine.conform import output_schema
from application.engine.scan import Engine
from application.models import Dataset, Filter, Query
from application.query.parsed import parse
from tests.support.watched import Watched

TODAY = date(2020, 5, 17)
MEETS: dict[str, Callable[[Any, Any], bool]] = {
    "": lambda value, wanted: value == wanted,
    "__gt": lambda value, wanted: value > wanted,
    "__gte": lambda value, wanted: value >= wanted,
    "__lt": lambda value, wanted: value < wanted,
    "__lte": lambda value, wanted: value <= wanted,
}


@pytest.fixture(autouse=True)
def _few_rows_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "FEWEST_KNOWN", 1)


def rows(
    storage: Watched, engine: Engine, pairs: list[tuple[str, str]], cursors: int = 1
) -> tuple[list[Any], Dataset]:
    """What a query gives, as the service asks; what was read of it meanwhile is the storage's to tell."""
    catalogue = Catalogue(storage, engine, 0)
    dataset = catalogue.get("t")
    query = parse(pairs, dataset.columns).query
    parts = catalogue.matching(dataset, query)
    storage.read_bytes.clear()
    with closing(engine.batches(dataset, query, Cancellation(), parts, cursors=cursors)) as batches:
        return [row for batch in batches for row in batch.to_pylist()], dataset


def written(path: Path, count: int = 1000, group: int = 100) -> list[dict[str, Any]]:
    made = [{"n": n, "day": TODAY + timedelta(n), "text": f"text {n}"} for n in range(count)]
    pq.write_table(pa.Table.from_pylist(made), path, row_group_size=group)
    return made


@pytest.mark.parametrize("cursors", [1, 3])
@pytest.mark.parametrize(
    ("pairs", "first", "last", "is_direct"),
    [
        ([("n__lt", "500")], 0, 500, True),
        ([("n__lt", "501")], 0, 501, True),
        ([("n__gte", "250"), ("n__lte", "849")], 250, 850, True),
        ([("day__gte", str(TODAY + timedelta(300)))], 300, 1000, True),
        ([("n__lt", "50")], 0, 50, False),
        ([("text__notnull", "true"), ("n__gt", "-1")], 0, 1000, True),
        ([("n__gte", "0"), ("limit", "320"), ("offset", "150")], 150, 470, True),
        ([("n__lt", "500"), ("sort", "-n"), ("limit", "500")], 499, None, False),
        ([("text__icontains", "text"), ("n__lt", "500")], 0, 500, False),
    ],
)
def test_row_groups_that_all_meet_a_filter_are_read_directly(
    tmp_path: Path,
    storage: Watched,
    engine: Engine,
    *,
    pairs: list[tuple[str, str]],
    first: int,
    last: int | None,
    is_direct: bool,
    cursors: int,
) -> None:
    made = written(tmp_path / "t.parquet")
    expected = made[first:last] if last is not None else made[first::-1]
    found, _ = rows(storage, engine, pairs, cursors)
    assert found == expected
    assert bool(storage.read_bytes) == is_direct


def test_a_folder_s_name_tells_that_a_whole_part_meets_a_filter(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    for year in (2023, 2024):
        (tmp_path / "t" / f"year={year}").mkdir(parents=True)
        written(tmp_path / "t" / f"year={year}" / "a.parquet", year)
    found, _ = rows(storage, engine, [("year", "2024"), ("exclude_field", "year")])
    assert [row["n"] for row in found] == list(range(2024))
    assert storage.read_bytes


def test_where_it_fails_the_engine_goes_on_with_the_row_that_is_next(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    made = written(tmp_path / "t.parquet", 40_000, 10_000)

    def fail() -> None:
        if len(storage.read_bytes) > 2:
            raise OSError("as pyarrow fails over what it does not know")

    storage.before = fail
    found, _ = rows(storage, engine, [("n__gte", "5"), ("n__lt", "30001")])
    assert found == made[5:30_001]


def test_the_schema_is_that_of_the_query_which_has_fewer_rows(
    tmp_path: Path, storage: Watched, engine: Engine
) -> None:
    table = pa.table({"n": range(100), "g": ["POINT (1 2)"] * 100})
    said = b'{"version":"1.1.0","primary_column":"g","columns":{"g":{"encoding":"WKT","bbox":[0,0,9,9]}}}'
    metadata = {b"geo": said, b"pandas": b"{}"}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet", row_group_size=10)
    catalogue = Catalogue(storage, engine, 0)
    dataset = catalogue.get("t")
    number = dataset.columns[0]
    for limit in (None, 50):
        filters = (Filter(number, "gte", ("5",)), Filter(number, "lt", ("95",)))
        query = replace(Query(dataset.columns), filters=filters, limit=limit)
        parts = catalogue.matching(dataset, query)
        with closing(engine.batches(dataset, query, Cancellation(), parts)) as batches:
            found = [batch.schema.metadata for batch in batches]
        assert len(found) > 1
        assert found == [output_schema(dataset, query).metadata] * len(found)
        assert b"bbox" not in found[0][b"geo"]


VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any], Callable[[str], Any]]] = {
    "small": (pa.int8(), st.integers(-4, 4), int),
    "natural": (pa.uint32(), st.integers(0, 6), int),
    "day": (pa.date32(), st.integers(-3, 3).map(lambda days: TODAY + timedelta(days)), date.fromisoformat),
    "real": (pa.float64(), st.sampled_from([-1.0, 0.0, 1.5, float("nan")]), float),
    "text": (pa.string(), st.sampled_from(["a", "b", "c"]), str),
}


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[dict[str, Any]], pa.Schema, list[tuple[str, str, str]]]:
    """Rows, often sorted so that row groups have few values, their schema, and some filters."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
    count = draw(st.integers(1, 40))
    columns = {}
    for name in names:
        values = VALUES[name][1]
        some = draw(st.lists(values if draw(st.booleans()) else st.none() | values, min_size=1, max_size=8))
        column = sorted(
            (some[at % len(some)] for at in range(count)), key=lambda value: (value is None, value)
        )
        columns[name] = column if draw(st.booleans()) else column[::-1]
    made = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    filters = []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)):
        operator = draw(st.sampled_from(sorted({*MEETS, "__isnull", "__notnull"})))
        value = draw(VALUES[name][1].filter(lambda value: value == value))  # noqa: PLR0124 - but for NaN
        filters.append((name, operator, "true" if "null" in operator else str(value)))
    schema = pa.schema([(name, VALUES[name][0]) for name in names])
    return made, schema, filters


def is_met(row: dict[str, Any], name: str, operator: str, text: str) -> bool:
    value = row[name]
    if "null" in operator:
        return (value is None) == (operator == "__isnull")
    if value is None:
        return False
    wanted = VALUES[name][2](text)
    if value != value:  # noqa: PLR0124 - NaN is no value below any other, and above all
        return operator in ("__gt", "__gte")
    return MEETS[operator](value, wanted)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=asked(), size=st.integers(1, 12), statistics=st.booleans() | st.just(value=True))
def test_rows_are_those_that_python_finds(
    tmp_path: Path, storage: Watched, engine: Engine, *, data: Any, size: int, statistics: bool
) -> None:
    made, schema, filters = data
    pq.write_table(
        pa.Table.from_pylist(made, schema),
        tmp_path / "t.parquet",
        row_group_size=size,
        write_statistics=statistics,
    )
    found, _ = rows(storage, engine, [(name + operator, text) for name, operator, text in filters])
    assert str(found) == str([row for row in made if all(is_met(row, *each) for each in filters)])
