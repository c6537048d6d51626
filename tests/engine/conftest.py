"""An engine over a folder that tells what is read of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from application.engine.scan import Engine
from tests.support.watched import Watched, opened


@pytest.fixture(params=[True, False], ids=["near", "far"])
def storage(tmp_path: Path, request: pytest.FixtureRequest) -> Watched:
    return Watched(tmp_path, is_near=request.param)


@pytest.fixture
def engine(storage: Watched) -> Iterator[Engine]:
    made = opened(storage)
    yield made
    made.close()
