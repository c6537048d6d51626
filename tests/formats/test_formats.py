"""What the table says of each format, and what comes with it."""

import subprocess
import sys

import pytest

from application.formats import FORMATS

# An extension of the engine is no module.
EXTENSIONS = {"duckdb-extension-spatial"}
WRITERS = {writer for row in FORMATS.values() for writer in row.writers}
PLAIN = """
import sys
import pyarrow as pa
from tests.formats.support import check, written
moment = pa.array([0], pa.timestamp("us", "UTC"))
table = pa.table({"n": [1], "t": ["x"], "moment": moment, "day": moment.cast(pa.date32())})
check("csv", table.schema)
assert written("csv", table)
print(*sys.modules)
"""
EVERYTHING = """
import sys
import pyarrow as pa
from tests.formats.support import EVERY, check, picked, written
table = pa.table({name: picked(name, [0, 1]) for name in EVERY})
check(sys.argv[1], table.schema)
assert written(sys.argv[1], table)
print(*sys.modules)
"""


def loaded(program: str, *arguments: str) -> set[str]:
    """What a fresh process has imported after a program."""
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return set(found.stdout.split())


def test_csv_of_plain_columns_waits_for_no_polars() -> None:
    assert {"polars", "orjson"}.isdisjoint(loaded(PLAIN))


@pytest.mark.parametrize("extension", FORMATS)
def test_a_format_names_the_distributions_that_write_it(extension: str) -> None:
    assert loaded(EVERYTHING, extension) & WRITERS == set(FORMATS[extension].writers) - EXTENSIONS
