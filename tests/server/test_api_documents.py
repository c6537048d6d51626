"""The documents of the API, as a client made of them asks: requests of every kind, valid and not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from application.demo import make_demo
from application.demo.planning import PLANNING
from tests.support.serving import Served, serving_folder

ROOT = Path(__file__).parents[2]
# What is asked of a demo dataset does not depend on how many rows it has.
MOST_ROWS = 200

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made, root = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("documents")
    for dataset in make_demo(made):
        if dataset.name not in PLANNING:
            continue
        table = pq.read_table(dataset.path).slice(0, MOST_ROWS)
        pq.write_table(table, root / dataset.path.name)
    with serving_folder(root, environment="development") as found:
        yield found


def ask(served: Served, path: str, folder: Path, *options: str) -> None:
    """Have schemathesis ask by a document, with the same requests each time."""
    command = Path(sys.executable).with_name("schemathesis")
    configuration = ROOT / "tests/support/schemathesis.toml"
    asked = ["run", f"{served.url}/{path}", "--generation-deterministic", "--no-color", *options]
    run = [command, "--config-file", configuration, *asked]
    told = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, env=told, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "No tests were run" not in done.stdout


def test_the_document_of_all_datasets_is_true(served: Served, tmp_path: Path) -> None:
    # Not stateful: it would ask datasets that are there for columns that no such document knows.
    phases = "examples,coverage,fuzzing"
    ask(served, "openapi.json", tmp_path, "--phases", phases, "--max-examples", "3")


@pytest.mark.parametrize("name", PLANNING)
def test_the_document_of_a_demo_dataset_is_true(name: str, served: Served, tmp_path: Path) -> None:
    only = ("--exclude-method", "HEAD", "--include-path-regex", "csv")
    path = f"datasets/{name}/openapi.json"
    ask(served, path, tmp_path, "--phases", "fuzzing", "--max-examples", "5", *only)
