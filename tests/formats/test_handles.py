"""A process without file handles: what a library makes once must not fail for good."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, resource
import pyarrow as pa
from application.errors import Busy
from application.formats import FORMATS

batch = pa.record_batch({"n": [1, 2]})
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)

def lacking(attempt):
    few = len(os.listdir("/proc/self/fd")) + 10
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    try:
        attempt()
    except Busy:
        print("busy")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

lacking(FORMATS["ndjson"].open_encoder)
encoder = FORMATS["ndjson"].open_encoder()
lacking(lambda: encoder.encode(batch))
print(bytes(encoder.encode(batch)))
"""


def test_json_that_found_no_handles_is_written_once_there_are_some() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["busy", "busy", str(b'{"n":1}\n{"n":2}\n')]


THREADS = """
from contextlib import suppress
from pathlib import Path
from application.formats.handles import begin_polars

begin_polars()
for task in Path("/proc/self/task").iterdir():
    # The one that made them may be about to end. The name is in brackets, the niceness the 17th after it.
    with suppress(OSError):
        name, _, rest = (task / "stat").read_text().partition(") ")
        print(name.partition("(")[2], rest.split()[16])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux alone")
def test_the_threads_of_polars_leave_the_cores_to_the_event_loop() -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True)
    threads = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    assert {niceness for name, niceness in threads if name.startswith(("async-executor", "polars-"))} == {"5"}
    assert next(niceness for name, niceness in threads if name.startswith("python")) == "0"
