"""What the table says of each format, and what comes with it."""

import json
import subprocess
import sys

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
# A process of its own for each format, which begins with what is common to all.
EVERYTHING = """
import json, os, sys
import pyarrow as pa
from tests.formats.support import EVERY, check, picked, written
for extension in sys.argv[1:]:
    if (child := os.fork()) == 0:
        table = pa.table({name: picked(name, [0, 1]) for name in EVERY})
        check(extension, table.schema)
        assert written(extension, table)
        print(json.dumps([extension, *sys.modules]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, extension
"""


def told(program: str, *arguments: str) -> str:
    """What a fresh process prints."""
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return found.stdout


def test_csv_of_plain_columns_waits_for_no_polars() -> None:
    assert {"polars", "orjson"}.isdisjoint(told(PLAIN).split())


def test_a_format_names_the_distributions_that_write_it() -> None:
    found = [json.loads(line) for line in told(EVERYTHING, *FORMATS).splitlines()]
    assert {extension: set(modules) & WRITERS for extension, *modules in found} == {
        extension: set(row.writers) - EXTENSIONS for extension, row in FORMATS.items()
    }
