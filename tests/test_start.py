"""What a start imports: what stands between a process and its first /health."""

import subprocess
import sys
from pathlib import Path

import pytest

from application.errors import Stopping
from application.lifespan import Lifespan
from application.settings import Settings
from tests.support.serving import eventually

HEAVY = {
    "pyarrow",
    "duckdb",
    "polars",
    "obstore",
    "botocore",
    "isal",
    "zstandard",
    "rich",
    "numpy",
    "shapely",
    "pyproj",
    # FastAPI loads it for path parameters and models of responses of its own.
    "pydantic.v1",
}


@pytest.mark.parametrize("module", ["application.main", "application.cli"])
def test_a_start_waits_for_no_engine(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(found.stdout.split())


def test_a_started_service_opens_without_being_asked(tmp_path: Path) -> None:
    lifespan = Lifespan(Settings(dataset_bucket=f"{tmp_path}/"))
    lifespan.start()
    try:
        assert eventually(lambda: lifespan.is_open)
    finally:
        lifespan.stop()
    assert not lifespan.is_open


def test_a_service_told_to_stop_while_it_opens_begins_nothing(tmp_path: Path) -> None:
    lifespan = Lifespan(Settings(dataset_bucket=f"{tmp_path}/"))
    lifespan.start()
    lifespan.drain()
    try:
        with pytest.raises(Stopping):
            lifespan.get().productions.check()
    finally:
        lifespan.stop()
