"""Measures a dataset of many parts on storage that takes its time with each request.

1,000 parts lie on a real S3 server behind a proxy that holds every request back for 30 ms and counts them.
Each round starts a new service and, after a small download that nothing is counted of, asks for the plan of
everything (the footers are read), for what lies in few parts, for rows that any part may have, and for all.
Every answer's bytes are compared with those that the same parts give from a folder.
"""

import argparse
import asyncio
import hashlib
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.processes import running
from tests.support.s3_server import s3_server

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
ROWS = 500
PARTS_OF_A_DISTRICT = 25
STEPS = (
    ("first plan", "HEAD", "/trees.csv"),
    ("few parts, by statistics", "GET", "/trees.csv?district=7"),
    ("few parts, by folder", "GET", "/hive.csv?district=7"),
    ("few rows, any part", "GET", "/trees.csv?height=17"),
    ("all rows", "GET", "/trees.csv"),
)


class Slow:
    """A proxy to an HTTP server that waits before it passes each request on, and counts them by method."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target = urlsplit(target)
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self.requests: Counter[str] = Counter()
        self.port = 0
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._pass, "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(self._target.hostname, self._target.port)
        back = asyncio.create_task(_copy(answers, writer))
        # Nothing that is asked for here has a body.
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                method = head.split(b" ", 1)[0].decode()
                self.requests["LIST" if b"list-type=2" in head else method] += 1
                await asyncio.sleep(self._seconds)
                requests.write(head)
        requests.close()
        with suppress(asyncio.CancelledError):
            await back


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()


@contextmanager
def slow(target: str, seconds: float) -> Iterator[Slow]:
    proxy = Slow(target, seconds)
    try:
        yield proxy
    finally:
        proxy.close()


def make(folder: Path, parts: int) -> None:
    """Write the parts: `trees/` in one folder, `hive/` in one for each district; and `one`, beside them."""
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"entity": [1]}), folder / "one.parquet")
    for part in range(parts):
        first = part * ROWS
        district = part // PARTS_OF_A_DISTRICT
        rows = {
            "entity": range(first, first + ROWS),
            "name": [f"tree {row} of part {part}" for row in range(ROWS)],
            "height": [row * 7919 % 100 for row in range(first, first + ROWS)],
            "notes": [f"seen {row * 104729 % 997} times" for row in range(first, first + ROWS)],
        }
        own = pa.table({**rows, "district": [district] * ROWS})
        for path, table in (
            (folder / f"trees/part-{part:05}.parquet", own),
            (folder / f"hive/district={district}/part-{part:05}.parquet", own.drop_columns("district")),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, path, compression="zstd")


def ask(port: int, method: str, path: str) -> tuple[float, int, str]:
    """Seconds, bytes and the digest of an answer; raises on a status or a short body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    began = time.perf_counter()
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - began
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {body[:500]!r}")
    return seconds, len(body), hashlib.sha256(body).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=1000)
    parser.add_argument("--wait", type=float, default=0.03, help="seconds that each request waits")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "bucket" / "dataset"
        make(folder, options.parts)
        with running(folder) as local:
            expected = {step: ask(local.port, method, path)[1:] for step, method, path in STEPS}
        times: dict[str, list[float]] = {}
        counts: dict[str, Counter[str]] = {}
        # The listing of a folder is kept, as an object store has it: without, each request lists it anew.
        with s3_server(root, KEY, SECRET, dir_cache="5m") as endpoint, slow(endpoint, options.wait) as proxy:
            where = {"DATASET_BUCKET": "bucket", "DATASET_PREFIX": "dataset"}
            keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
            for _ in range(options.runs):
                address = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
                with running(folder, **where, **keys, **address) as service:
                    ask(service.port, "GET", "/one.csv")
                    for step, method, path in STEPS:
                        if step.endswith("folder"):
                            ask(service.port, "HEAD", path)
                        proxy.requests.clear()
                        seconds, *answer = ask(service.port, method, path)
                        assert tuple(answer) == expected[step], f"{path}: other bytes than from a folder"
                        times.setdefault(step, []).append(seconds)
                        counts[step] = Counter(proxy.requests)
    print(
        f"{options.parts:,} parts of {ROWS} rows, {options.wait * 1000:.0f} ms a request, {options.runs} runs"
    )
    for step, _, _ in STEPS:
        shown = ", ".join(f"{count} {method}" for method, count in sorted(counts[step].items()))
        middle, most = statistics.median(times[step]), max(times[step])
        print(f"{step}: {middle:.2f} s (at most {most:.2f} s), {shown}, {expected[step][0]:,} bytes")


if __name__ == "__main__":
    main()
