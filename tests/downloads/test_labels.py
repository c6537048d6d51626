"""Names of values from other datasets: kept once they were read, and asked for again after what passes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from application.downloads.labels import RETRY_SECONDS, Labels
from application.engine.scan import Engine
from application.errors import DownloadError, ProductionCancelled, StorageUnavailable
from application.formats.scalars import NoText
from application.models import Label
from application.service import Service, open_service
from application.settings import Settings
from tests.support import tables

AREAS = Label("area", "reference", "name")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    tables.write(pa.table({"reference": ["1", "2"], "name": ["north", "south"]}), tmp_path / "area.parquet")
    made = open_service(Settings(dataset_bucket=tmp_path.as_uri(), dataset_prefix=""))
    yield made
    made.close()


class Failing:
    """Reads of the engine that fail while there is a failure, and are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failure: Exception | None = None
        self.reads = 0
        own = Engine.batches

        def batches(engine: Engine, *given: Any) -> Any:
            self.reads += 1
            if self.failure:
                raise self.failure
            return own(engine, *given)

        monkeypatch.setattr(Engine, "batches", batches)


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "failure",
    [
        StorageUnavailable("The storage does not answer."),
        # As the limit of time ends it.
        ProductionCancelled("The download was cancelled."),
        pa.ArrowMemoryError("no memory"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_failure_that_passes_is_forgotten_after_some_seconds(
    failure: DownloadError, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, clock = Failing(monkeypatch), Clock()
    labels = Labels(service.catalogue, service.engine, service.lanes, clock)
    engine.failure = failure
    assert labels.names(AREAS) == {}
    engine.failure = None
    clock.now += RETRY_SECONDS / 2
    assert labels.names(AREAS) == {}
    assert engine.reads == 1
    clock.now += RETRY_SECONDS / 2
    assert labels.names(AREAS) == {"1": "north", "2": "south"}


def test_names_and_what_stays_as_it_is_are_read_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, clock = Failing(monkeypatch), Clock()
    labels = Labels(service.catalogue, service.engine, service.lanes, clock)
    for _ in range(2):
        assert labels.names(AREAS) == {"1": "north", "2": "south"}
        assert labels.names(Label("area", "reference", "absent")) == {}
        clock.now += 1e9
    assert engine.reads == 1
    engine.failure = NoText("a value without text")
    for _ in range(2):
        assert labels.names(Label("area", "name", "reference")) == {}
        clock.now += 1e9
    assert engine.reads == 2
