"""What is found in rows, against what pyarrow and Python count."""

import datetime as dt
import json
import logging
import random
import threading
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets import background, profiles
from application.datasets.catalogue import Catalogue
from application.datasets.places import PlaceSurvey
from application.datasets.profile import Profile, read_profile
from application.datasets.profiles import Profiles
from application.engine.database import Database
from application.engine.scan import Engine
from application.storage import open_storage
from application.telemetry import logger
from tests.support.serving import eventually

ROWS = 12_000
DICE = random.Random(3)


def table() -> pa.Table:
    words = ("a", "b", "", None, "c")
    return pa.table(
        {
            "key": pa.array(range(ROWS), pa.int64()),
            "word": [DICE.choice(words) for _ in range(ROWS)],
            "code": pa.array([DICE.randint(0, 9) for _ in range(ROWS)], pa.int16()),
            "price": pa.array(
                [Decimal(DICE.randint(-500, 500)) / 100 for _ in range(ROWS)], pa.decimal128(9, 2)
            ),
            "share": [DICE.random() for _ in range(ROWS)],
            "day": [dt.date(2000, 1, 1) + dt.timedelta(days=DICE.randint(0, 5000)) for _ in range(ROWS)],
            "at": pa.array([DICE.randint(0, 10**15) for _ in range(ROWS)], pa.timestamp("us", "UTC")),
            "kind": pa.array([DICE.choice(("x", "y")) for _ in range(ROWS)]).dictionary_encode(),
            "list": pa.array([[1], None] * (ROWS // 2)),
            "long": ["POLYGON" * 100] * ROWS,
            "nothing": pa.nulls(ROWS, pa.string()),
            "yes": pa.array([True, None, False] * (ROWS // 3)),
        }
    )


@pytest.fixture(autouse=True, scope="module")
def _priority() -> Iterator[None]:
    """Other tests run beside these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "LEAST_PRIORITY", 0)
        yield


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of another test may have turned it down."""
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.WARNING, logger=logger.name)


class Asked:
    """A catalogue, and the profiles of its datasets."""

    def __init__(self, root: Path, folder: Path | None = None, **options: Any) -> None:
        storage = open_storage(f"{root}/", "")
        database = Database(storage, memory_limit="256MB", threads=1, temp_directory=None, temp_limit="1GB")
        self.catalogue = Catalogue(storage, Engine(storage, database), max_age=0)
        given = {"is_brief": False, "is_busy": lambda: False, **options}
        self.profiles = Profiles(storage, folder, **given)

    def now(self, name: str, brought: object = None) -> Profile | None:
        description = self.catalogue.describe(self.catalogue.get(name))
        return self.profiles.find(description, brought)

    def found(self, name: str) -> Profile:
        assert eventually(lambda: self.now(name))
        profile = self.now(name)
        assert profile
        return profile


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return table()


@pytest.fixture(scope="module")
def profile(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    root = tmp_path_factory.mktemp("profiled")
    pq.write_table(rows, root / "a.parquet", row_group_size=5000)
    asked = Asked(root)
    yield asked.found("a")
    asked.profiles.close()


def test_every_column_is_counted_whole(rows: pa.Table, profile: Profile) -> None:
    assert (profile.rows, profile.is_sample, set(profile.columns)) == (ROWS, False, set(rows.column_names))
    for name, column in profile.columns.items():
        assert column.nulls == rows[name].null_count, name
    assert profile.columns["word"].blanks == rows["word"].to_pylist().count("")
    assert profile.columns["code"].blanks is None


@pytest.mark.parametrize(
    "name", ["key", "word", "code", "price", "share", "day", "at", "kind", "long", "yes"]
)
def test_distinct_values_are_about_right(rows: pa.Table, profile: Profile, name: str) -> None:
    truth = len(set(rows[name].to_pylist()) - {None})
    found = profile.columns[name].distinct
    assert found == truth if truth < 4096 else abs(found - truth) <= 0.08 * truth


@pytest.mark.parametrize("name", ["word", "code", "kind", "yes"])
def test_the_most_frequent_values_are_those(rows: pa.Table, profile: Profile, name: str) -> None:
    truth = Counter(value for value in rows[name].to_pylist() if value is not None)
    found = {item.value: item.count for item in profile.columns[name].top}
    assert found == dict(truth)
    assert list(found.values()) == sorted(truth.values(), reverse=True)


def test_what_is_nowhere_twice_or_too_long_has_no_frequent_values(profile: Profile) -> None:
    assert [profile.columns[name].top for name in ("key", "share", "long", "list", "nothing")] == [()] * 5


@pytest.mark.parametrize("name", ["key", "code", "price", "share", "day", "at"])
def test_histograms_count_every_value_once_in_its_bar(rows: pa.Table, profile: Profile, name: str) -> None:
    histogram = profile.columns[name].histogram
    assert histogram
    numbers = [
        value.timestamp()
        if isinstance(value, dt.datetime)
        else value.toordinal()
        if isinstance(value, dt.date)
        else float(value)
        for value in rows[name].to_pylist()
    ]
    low, width = min(numbers), (max(numbers) - min(numbers)) / 20
    truth = Counter(min(19, int((number - low) / width)) for number in numbers)
    assert sum(histogram.counts) == ROWS
    # Where a value lies on an edge, the last digit decides.
    assert sum(abs(truth[place] - count) for place, count in enumerate(histogram.counts)) <= ROWS // 100


def test_dates_as_text_have_a_histogram_by_their_days(tmp_path: Path) -> None:
    days = [dt.date(1990, 1, 1) + dt.timedelta(days=DICE.randint(0, 9000)) for _ in range(3000)]
    texts = [day.isoformat() for day in days]
    partial = ["1984", "1985-03"]
    columns = {
        "days": [*texts, None, ""],
        "partial": [*texts, *partial],
        "years": [str(1000 + number % 900) for number in range(3002)],
        "other": [*texts, "unknown", "2024-02-30"],
        "few": [texts[number % 5] for number in range(3002)],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    found = Asked(tmp_path).found("a").columns
    for name, more in (("days", []), ("partial", [dt.date(1984, 1, 1), dt.date(1985, 3, 1)])):
        histogram, all_days = found[name].histogram, [*days, *more]
        assert histogram
        low, high = min(all_days), max(all_days)
        assert (histogram.low, histogram.high) == (low.isoformat(), high.isoformat())
        truth = Counter(min(19, (day - low).days * 20 // (high - low).days) for day in all_days)
        assert list(histogram.counts) == [truth[place] for place in range(20)]
    # What may be no date, is none, or is told by its frequent values.
    assert [found[name].histogram for name in ("years", "other", "few")] == [None] * 3


def test_words_and_flags_have_no_histogram(profile: Profile) -> None:
    assert [profile.columns[name].histogram for name in ("word", "kind", "yes", "list")] == [None] * 4


def test_parts_and_their_folders_are_counted_together(tmp_path: Path) -> None:
    for year, values in ((2023, [1, 2]), (2024, [2, None, 2])):
        path = tmp_path / f"a/year={year}/p.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"n": pa.array(values, pa.int32())}), path)
    found = Asked(tmp_path).found("a").columns
    assert [(item.value, item.count) for item in found["year"].top] == [(2024, 3), (2023, 2)]
    assert (found["n"].nulls, found["n"].distinct, found["year"].distinct) == (1, 2, 2)


def test_more_than_a_pass_may_read_is_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"n": range(ROWS)}), tmp_path / "a.parquet", row_group_size=250)
    size = (tmp_path / "a.parquet").stat().st_size
    monkeypatch.setattr(profiles, "NEAR_BYTES", size // 3)
    found = Asked(tmp_path).found("a")
    assert found.is_sample
    assert ROWS // 4 <= found.rows <= ROWS // 2
    counts = found.columns["n"].histogram
    # From here and there.
    assert counts
    assert sum(count > 0 for count in counts.counts) >= 10


def test_what_was_found_is_kept_for_the_next_process(tmp_path: Path) -> None:
    root, folder = tmp_path / "data", tmp_path / "kept"
    root.mkdir()
    folder.mkdir()
    pq.write_table(pa.table({"n": [1, 1]}), root / "a.parquet")
    first = Asked(root, folder).found("a")
    assert Asked(root, folder, is_brief=True).now("a") == first
    pq.write_table(pa.table({"n": [1, 1, 1]}), root / "a.parquet")
    assert Asked(root, folder, is_brief=True).now("a") is None


def test_a_profile_that_was_brought_is_taken_for_its_version_alone(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1, 1]}), tmp_path / "a.parquet")
    first = Asked(tmp_path).found("a")
    told = json.loads(json.dumps(first.to_json()))
    assert read_profile(told, first.e_tag) == first
    assert Asked(tmp_path, is_brief=True).now("a", brought=told) == first
    for wrong in ({**told, "e_tag": "x"}, {**told, "profile": {}}, {**told, "columns": 5}, [], None, "x"):
        assert Asked(tmp_path, is_brief=True).now("a", brought=wrong) is None


def test_a_pass_waits_while_downloads_are_made(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1, 1]}), tmp_path / "a.parquet")
    looked, is_free = threading.Event(), threading.Event()

    def is_busy() -> bool:
        looked.set()
        return not is_free.is_set()

    asked = Asked(tmp_path, is_busy=is_busy)
    assert asked.now("a") is None
    assert looked.wait(10)
    assert asked.now("a") is None
    is_free.set()
    assert asked.found("a").rows == 2


def test_what_cannot_be_read_has_no_profile_and_is_tried_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pq.write_table(
        pa.table({"n": ["x" * 100] * 100}), tmp_path / "a.parquet", use_dictionary=False, compression="none"
    )
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[4:60] = b"\xff" * 56
    (tmp_path / "a.parquet").write_bytes(data)
    asked = Asked(tmp_path)
    assert asked.now("a") is None
    assert eventually(lambda: "has no profile" in caplog.text)
    assert [asked.now("a") for _ in range(3)] == [None] * 3
    assert caplog.text.count("has no profile") == 1


PLACES = ["POINT (1 2)", "POINT (3 1)", "", None, "x"] * 20


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_places_are_found_however_their_text_is_stored(kind: pa.DataType, tmp_path: Path) -> None:
    places = pa.array(PLACES)
    if isinstance(kind, pa.DictionaryType):
        places = places.dictionary_encode()
    pq.write_table(pa.table({"n": range(100), "geometry": places.cast(kind)}), tmp_path / "a.parquet")
    found = Asked(tmp_path).found("a").columns
    assert found["n"].distinct == 100
    geometry = found["geometry"].geometry
    assert geometry
    assert (geometry.types, geometry.bbox, geometry.unreadable) == (("Point",), (1, 1, 3, 2), 20)


def test_places_that_cannot_be_told_cost_no_other_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: PlaceSurvey, array: pa.Array) -> None:
        raise NotImplementedError("no kernel")

    monkeypatch.setattr(PlaceSurvey, "add", fail)
    pq.write_table(pa.table({"n": range(100), "geometry": PLACES}), tmp_path / "a.parquet")
    found = Asked(tmp_path).found("a").columns
    assert found["n"].distinct == 100
    assert (found["geometry"].nulls, found["geometry"].geometry) == (20, None)
    assert "'geometry'" in caplog.text
