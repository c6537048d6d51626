"""Measures a start, beside a bare app's: until the first /health, and until a small download's first bytes.

The bare application is FastAPI with /health alone, under uvicorn with the options that ours has. Runs of
the two take turns, so that what else the machine does meets both. A first round, which fills the system's
cache, is not counted. Each client asks as the Lambda Web Adapter does: again
every 10 ms.
"""

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.01
PATIENCE_SECONDS = 30.0
# pandas, which the tests have and pyarrow would import, is hidden: a deployed service has none.
WITHOUT_PANDAS = """
import sys
class Hidden:
    def find_spec(self, name, *_):
        if name == "pandas":
            raise ModuleNotFoundError("no pandas here", name=name)
sys.meta_path.insert(0, Hidden())
"""
OURS = f"""{WITHOUT_PANDAS}
from application.cli import main
sys.exit(main())
"""
BARE = f"""{WITHOUT_PANDAS}
import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {{"status": "healthy"}}


uvicorn.run(app, port=int(sys.argv[1]), timeout_keep_alive=65, lifespan="on", timeout_graceful_shutdown=30)
"""


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds since the process began, and bytes of resident memory at these moments."""

    health: float
    health_memory: int
    download: float = 0.0
    download_memory: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--port", type=int, default=8711)
    options = parser.parse_args()
    show(*starts(options.runs, options.port))


def starts(runs: int, port: int = 8711) -> tuple[list[Start], list[Start]]:
    """As many starts of ours, and of a bare application."""
    # As in the image; to compile takes longer than to run.
    compileall.compile_dir(ROOT / "application", quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"entity": [1, 2, 3], "name": ["a", "b", "c"]}), f"{folder}/small.parquet")
        environment = {**os.environ, "DATASET_BUCKET": f"{folder}/", "DATASET_PREFIX": ""}
        ours_command = [sys.executable, "-c", OURS, "serve", "--port", str(port)]
        bare_command = [sys.executable, "-c", BARE, str(port)]
        ours, bare = [], []
        for number in range(runs + 1):
            first, second = (
                start(ours_command, environment, port),
                start(bare_command, environment, port, download=None),
            )
            if number:
                ours.append(first)
                bare.append(second)
    return ours, bare


def start(
    command: Sequence[str], environment: dict[str, str], port: int, download: str | None = "/small.csv"
) -> Start:
    """Start a server, ask it, and stop it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not answers(port, "/health"):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE_SECONDS:
                raise SystemExit(f"{command} did not start")
            time.sleep(POLL_SECONDS)
        health, health_memory = time.perf_counter() - began, memory(process.pid)
        if download is None:
            return Start(health, health_memory)
        if not answers(port, download):
            raise SystemExit(f"{download} failed")
        return Start(health, health_memory, time.perf_counter() - began, memory(process.pid))
    finally:
        process.terminate()
        process.wait()


def answers(port: int, path: str) -> bool:
    """Whether a 200 and the first byte of its body come back."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status == 200 and bool(response.read(1))
    except OSError:
        return False
    finally:
        connection.close()


def memory(pid: int) -> int:
    """Bytes of resident memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def show(ours: Sequence[Start], bare: Sequence[Start]) -> None:
    health, bare_health = (statistics.median(run.health for run in runs) for runs in (ours, bare))
    held, bare_held = (statistics.median(run.health_memory for run in runs) for runs in (ours, bare))
    first = statistics.median(run.download for run in ours)
    after = statistics.median(run.download_memory for run in ours)
    print(f"medians of {len(ours)} starts")
    print(f"  /health: {health:.3f} s, bare {bare_health:.3f} s, ratio {health / bare_health:.2f}")
    print(f"  memory then: {held / 1e6:.0f} MB, bare {bare_held / 1e6:.0f} MB, ratio {held / bare_held:.2f}")
    print(f"  first bytes of a download: {first:.3f} s, {first / bare_health:.2f} times bare /health")
    print(f"  memory then: {after / 1e6:.0f} MB, {after / bare_held:.2f} times bare")


if __name__ == "__main__":
    main()
