"""A process without file handles: what a library makes once must not fail for good."""

import subprocess
import sys

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
