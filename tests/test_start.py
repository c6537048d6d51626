"""What a start imports: what stands between a process and its first /health."""

import subprocess
import sys
from pathlib import Path

import pytest

from application.lifespan import Lifespan
from application.settings import Settings
from tests.server.serving import eventually

HEAVY = {"pyarrow", "duckdb", "polars", "obstore", "botocore", "isal", "zstandard", "rich", "numpy"}


@pytest.mark.parametrize("module", ["application.main", "application.cli"])
def test_a_start_waits_for_no_engine(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(found.stdout.split())


def test_a_started_service_opens_without_being_asked(tmp_path: Path) -> None:
    lifespan = Lifespan(Settings(dataset_bucket=f"{tmp_path}/"))
    lifespan.start()
    try:
        assert eventually(lambda: lifespan._service is not None)
    finally:
        lifespan.stop()
    assert lifespan._service is None


def test_a_service_told_to_stop_while_it_opens_begins_nothing(tmp_path: Path) -> None:
    lifespan = Lifespan(Settings(dataset_bucket=f"{tmp_path}/"))
    lifespan.start()
    lifespan.drain()
    try:
        assert lifespan.get().productions._stopping
    finally:
        lifespan.stop()
