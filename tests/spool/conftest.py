"""Small segments, so that little data has many."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.descriptors import descriptors
from tests.support.tapes import SEGMENT, WINDOW


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGMENT_BYTES", "MEMORY_SEGMENT_BYTES"):
        monkeypatch.setattr(f"application.spool.segments.{name}", SEGMENT)


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WINDOW_BYTES", "MEMORY_WINDOW_BYTES"):
        monkeypatch.setattr(f"application.spool.window.{name}", WINDOW)


@pytest.fixture(params=["files", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "files" else None


@pytest.fixture
def no_descriptor_left(tmp_path: Path) -> Iterator[None]:
    before = descriptors(tmp_path)
    yield
    assert descriptors(tmp_path) == before
