"""`make rolling`: two instances, restarted or killed one by one under load, behind nginx and HAProxy.

Not among the tests of `make test`, for it takes minutes. It prints its figures.
"""

import hashlib
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.server.balancers import COMMANDS, Instance, balanced_client, instances
from tests.support import tables

pytestmark = [pytest.mark.rolling, pytest.mark.timeout(1800), pytest.mark.parametrize("name", COMMANDS)]
ROUNDS = int(os.environ["ROLLING_ROUNDS"])
# Streamed in chunks, from the spool or the stored object with a length, and small ones.
DOWNLOADS = ("/large.csv", "/large.ndjson", "/large.parquet", "/large.csv?entity=7", "/sample.json")
FAST, SLOW = 2, 2
SLOW_PAUSE_SECONDS = 0.01
PIECE = 1 << 16
# Until the balancer has seen a new instance, too: an orchestrator waits as long.
SEEN_SECONDS = 1.5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One dataset that takes a while to send, and one that does not."""
    folder = tmp_path_factory.mktemp("rolling")
    tables.write(tables.large(16), folder / "large.parquet")
    tables.write(tables.sample(), folder / "sample.parquet")
    return folder


def test_a_rolling_restart_cuts_no_download(name: str, data: Path, tmp_path: Path) -> None:
    found = run(name, data, tmp_path, Instance.stop)
    assert found == {"whole": found["whole"]}


def test_what_a_killed_instance_cuts_looks_cut(name: str, data: Path, tmp_path: Path) -> None:
    found = run(name, data, tmp_path, Instance.kill)
    assert found["broken off"]
    assert found == {"whole": found["whole"], "broken off": found["broken off"]}


def run(name: str, data: Path, folder: Path, end: Callable[[Instance], None]) -> Counter[str]:
    """End and start each instance so many times under load; returns how the downloads ended."""
    with instances(data, 2) as pair, balanced_client(name, folder, pair) as client, load(client) as found:
        for _ in range(ROUNDS):
            for instance in pair:
                end(instance)
                instance.start()
                time.sleep(SEEN_SECONDS)
    print(f"\n{name}, {2 * ROUNDS} × {end.__name__}: {dict(found)}")  # noqa: T201 - what it is for
    assert found["whole"] > 10 * ROUNDS
    return found


@contextmanager
def load(client: httpx2.Client) -> Iterator[Counter[str]]:
    """Clients that download all the time, some of them slowly; counts how their downloads ended."""
    truth = {path: hashlib.sha256(client.get(path).content).hexdigest() for path in DOWNLOADS}
    found: Counter[str] = Counter()
    done = threading.Event()

    def download(offset: int, pause: float) -> None:
        options = {"base_url": client.base_url, "headers": client.headers, "timeout": 60.0}
        with httpx2.Client(**options, trust_env=False) as mine:
            for path in itertools.islice(itertools.cycle(DOWNLOADS), offset, None):
                if done.is_set():
                    return
                found[outcome(mine, path, truth[path], pause)] += 1

    pauses = [0.0] * FAST + [SLOW_PAUSE_SECONDS] * SLOW
    threads = [threading.Thread(target=download, args=item) for item in enumerate(pauses)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for thread in threads:
            thread.join(60)


def outcome(client: httpx2.Client, path: str, digest: str, pause: float) -> str:
    """How a download ended: whole, short, broken off for all to see, or with another status."""
    content = hashlib.sha256()
    try:
        with client.stream("GET", path) as response:
            for piece in response.iter_raw(PIECE):
                content.update(piece)
                if pause:
                    time.sleep(pause)
    except httpx2.TransportError:
        return "broken off"
    if response.status_code != 200:
        return f"status {response.status_code}"
    return "whole" if content.hexdigest() == digest else "short"
