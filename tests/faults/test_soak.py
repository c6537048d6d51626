"""Minutes of random faults, replaced files and clients that resume: the service ends where it began."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from application.client.fetch import fetch
from application.errors import DownloadError
from tests.faults.conftest import KEY, SECRET
from tests.faults.data import KINDS, PARSERS, Kind, Library, undo, version_of
from tests.faults.storage import SLOW, STORAGE_FAULTS, WHERE, StorageProxy, faulty_storage
from tests.support.processes import UVICORN, Running, running, total
from tests.support.proxy import proxying
from tests.support.s3_server import s3_server
from tests.support.serving import SECONDS, eventually
from tests.support.sockets import ask, connect, connections

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
WARM_SECONDS = min(15.0, SOAK_SECONDS / 4)
DATASETS = ("one", "two", "three")
VERSIONS = (1, 2, 3)
CLIENTS = 6
SPOOL_BYTES = 64 << 20
# Beside results the journal of what is read lies there, and its locks.
JOURNAL_BYTES = 1 << 20
# What a process may have more of at the end: allocators and pools keep some of what they once had.
MORE_BYTES, MORE_THREADS, MORE_HANDLES = 128 << 20, 4, 8
READABLE = [kind for kind in KINDS if kind.extension in PARSERS]


@dataclass(slots=True)
class Tally:
    """What became of the requests, and every body that was not all rows of one version."""

    counts: "Counter[str]" = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def judge(self, kind: Kind, body: bytes, e_tag: str, seen: dict[str, int]) -> None:
        """All rows of one version, and the same one each time that it has this ETag."""
        try:
            version = version_of(PARSERS[kind.extension](undo(body, kind.coding)))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it
            with self.lock:
                self.wrong.append(f"{kind}: {type(error).__name__}: {error}")
            return
        with self.lock:
            if seen.setdefault(e_tag, version) != version:
                self.wrong.append(f"{kind}: version {version} under the ETag of {seen[e_tag]}")
        self.add("whole")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process holds."""

    memory: int
    threads: int
    handles: int
    spool: int

    @classmethod
    def of(cls, server: Running, spool: Path) -> "Figures":
        process = Path(f"/proc/{server.process.pid}")
        pages = int((process / "statm").read_text().split()[1])
        targets = []
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                targets.append((str(link.readlink()), link))
        lying = [link for target, link in targets if target.startswith(f"{spool}/")]
        size = sum(link.stat().st_size for link in lying)
        # Kept results are what the spool is for: they are counted apart.
        threads = len(list((process / "task").iterdir()))
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), threads, len(targets) - len(lying), size)

    def __str__(self) -> str:
        return (
            f"{self.memory >> 20} MiB, {self.threads} threads, {self.handles} handles, "
            f"{self.spool >> 20} MiB in the spool"
        )


def download(server: Running, dice: random.Random, tally: Tally, seen: dict[str, int]) -> None:
    """A whole download, in any format and coding."""
    kind = dice.choice(READABLE)
    fields = {"Accept-Encoding": kind.coding}
    with httpx2.stream(
        "GET", server.url + kind.path(dice.choice(DATASETS)), headers=fields, timeout=30, trust_env=False
    ) as response:
        body = b"".join(response.iter_raw())
        if response.status_code == 200:
            tally.judge(kind, body, response.headers["etag"], seen)
        else:
            tally.add(f"HTTP {response.status_code}")


def resume(server: Running, dice: random.Random, tally: Tally, seen: dict[str, int], folder: Path) -> None:
    """Our own client over a way that is cut again and again: it goes on where it stopped, or begins anew."""
    kind = dice.choice([kind for kind in READABLE if kind.coding == "identity"])
    output = folder / f"resumed-{threading.get_ident()}-{dice.random()}"
    cuts = [dice.randrange(1 << 16, 3 << 20) for _ in range(3)]
    try:
        with proxying(server.url, *cuts) as proxy:
            fetch(proxy.url + kind.path(dice.choice(DATASETS)), output, wait=lambda _: None)
        # Which version it is, only its rows say.
        tally.judge(kind, output.read_bytes(), f"resumed {output.name}", seen)
        tally.add("resumed")
    except DownloadError:
        tally.add("not resumed")
    finally:
        for left in folder.glob(f"{output.name}*"):
            left.unlink()


def leave(server: Running, dice: random.Random, tally: Tally) -> None:
    """Ask, read some or nothing, and go; some stay too long and are dropped."""
    with connect(server.port) as client:
        ask(client, dice.choice(KINDS).path(dice.choice(DATASETS)))
        with suppress(OSError):
            client.recv(dice.choice((1, 1 << 12, 1 << 16)))
        time.sleep(dice.choice((0, 0, 0.1, 2.5)))
    tally.add("left")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where it happens: the process, its storage behind a proxy, and the files in it."""

    server: Running
    proxy: StorageProxy
    library: Library
    bucket: Path


def disturb(ground: Ground, dice: random.Random, over: threading.Event) -> None:
    """Faults of storage, one after the other, and new versions of the datasets."""
    quick = [fault for fault in STORAGE_FAULTS if fault.name not in SLOW]
    while not over.wait(dice.uniform(0.1, 0.6)):
        if dice.random() < 0.3:
            name = f"{dice.choice(DATASETS)}.parquet"
            ground.library.put(dice.choice(VERSIONS), ground.bucket / name)
        fault, where = dice.choice(quick), dice.choice(WHERE)
        if fault.applies(where):
            ground.proxy.break_(fault, where, dice.choice((1, 2, 50)))
            over.wait(dice.uniform(0.05, 0.4))
            ground.proxy.mend()


@contextmanager
def load(ground: Ground, tally: Tally, seed: int) -> Iterator[None]:
    """Clients that download, resume and leave, and a storage that fails, until the block ends."""
    over, server = threading.Event(), ground.server
    seen: dict[str, int] = {}
    folder = ground.bucket.parent.parent / "resumed"
    folder.mkdir(exist_ok=True)

    def work(number: int) -> None:
        dice = random.Random(seed + number)
        while not over.is_set():
            chance = dice.random()
            try:
                if chance < 0.7:
                    download(server, dice, tally, seen)
                elif chance < 0.85:
                    resume(server, dice, tally, seen, folder)
                else:
                    leave(server, dice, tally)
            except (httpx2.HTTPError, OSError) as error:
                tally.add(f"broken off: {type(error).__name__}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    threads.append(threading.Thread(target=disturb, args=(ground, random.Random(seed), over)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        ground.proxy.mend()


def settled(server: Running, spool: Path) -> Figures:
    """What is held once nobody asks for anything."""

    def busy() -> float:
        page = server.samples()
        making = sum(total(page, name) for name in ("productions_running", "productions_queued"))
        return making + connections(server.process.pid, server.port) - 1

    assert eventually(lambda: busy() <= 0, 2 * SECONDS), "something is still on its way"
    # A connection to storage and a worker that waits go by themselves, after a while.
    best = Figures.of(server, spool)
    for _ in range(24):
        time.sleep(0.5)
        now = Figures.of(server, spool)
        best = Figures(
            min(best.memory, now.memory),
            min(best.threads, now.threads),
            min(best.handles, now.handles),
            now.spool,
        )
    return best


def test_after_minutes_of_faults_the_service_is_where_it_began(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    root, spool, tally = tmp_path / "storage", tmp_path / "spool", Tally()
    spool.mkdir()
    for name in DATASETS:
        library.put(1, root / "bucket" / f"{name}.parquet")
    with s3_server(root, KEY, SECRET) as endpoint, faulty_storage(endpoint, root) as proxy:
        settings = {
            "DATASET_BUCKET": "bucket",
            "AWS_REGION": "eu-west-2",
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "CATALOGUE_MAX_AGE": "0.2",
            "SPOOL_DIR": str(spool),
            "SPOOL_MAX_BYTES": str(SPOOL_BYTES),
            "CLIENT_STALL_SECONDS": "1",
            "METRICS": "prometheus",
            "LOG_LEVEL": "CRITICAL",
        }
        with running(root, command=UVICORN, **settings) as server:
            ground = Ground(server, proxy, library, root / "bucket")
            seed = random.SystemRandom().randrange(1 << 32)
            with load(ground, tally, seed):
                time.sleep(WARM_SECONDS)
            before = settled(server, spool)
            with load(ground, tally, seed + 100):
                time.sleep(SOAK_SECONDS)
            after = settled(server, spool)
            counts = ", ".join(f"{count} {what}" for what, count in sorted(tally.counts.items()))
            with capsys.disabled():
                print(f"\nsoak of {SOAK_SECONDS:g} s, seed {seed}: {counts}")
                print(f"before: {before}\nafter:  {after}\nwrong bodies: {len(tally.wrong)}")
            assert tally.wrong == []
            assert tally.counts["whole"] > SOAK_SECONDS / 10
            assert tally.counts["resumed"] > 0
            assert after.memory <= before.memory + MORE_BYTES
            assert after.threads <= before.threads + MORE_THREADS
            assert after.handles <= before.handles + MORE_HANDLES
            # Segments to be used again may take an eighth beside it.
            assert after.spool <= SPOOL_BYTES * 9 // 8 + JOURNAL_BYTES
            response = server.get("/one.ndjson?exclude_field=spare")
            assert response.status_code == 200
