"""The process: told to stop, killed, with a full disk, few handles or no thread left."""

import resource
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path

import pytest

from tests.faults.conftest import Folder
from tests.faults.data import KINDS, Kind, Library
from tests.faults.law import Case, Court, Next, Saw, see, taking_turns, tell
from tests.support.full_disk import small_disk
from tests.support.processes import UVICORN, Running, running, total
from tests.support.proxy import proxying
from tests.support.serving import SECONDS, eventually
from tests.support.sockets import connections

pytestmark = pytest.mark.faults

# Some segments of the spool, and less than all kinds together.
DISK_BYTES = 24 << 20
# Beside what is open already: fewer than there are clients.
FEW_HANDLES = 6
JOURNAL_BYTES = 64 << 10
# By all of them together.
HELD_AFTER = 2 << 20
# Of those that a download starts.
THREADS = ("production", "production stage", "watchdog")
# Without it a production does all in its own thread.
SPARE = "production stage"
MADE = [kind for kind in KINDS if not kind.native]
names = count()


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to a process while every kind of download is on its way."""

    name: str
    strike: Callable[[Running, Path], None]
    mend: Callable[[Running, Path], None] = lambda *_: None
    midway: bool = True  # or before anybody asks
    ends: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def _signal(number: int) -> Callable[[Running, Path], None]:
    return lambda server, _: server.process.send_signal(number)


def _fill(server: Running, spool: Path) -> None:
    with (spool / "others").open("wb") as file:
        try:
            while True:
                file.write(bytes(64 << 10))
                file.flush()
        except OSError:
            return


def _empty(server: Running, spool: Path) -> None:
    (spool / "others").unlink()


def _take_handles(server: Running, _: Path) -> None:
    now = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (now + FEW_HANDLES, most))


def _give_handles(server: Running, _: Path) -> None:
    _, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))


UNSPOOLED = {"SPOOL_DIR": "off"}
STRIKES = [
    Strike("SIGTERM, time left", _signal(signal.SIGTERM), ends=True, environment={"GRACE_SECONDS": "20"}),
    Strike(
        "SIGTERM, no time left",
        _signal(signal.SIGTERM),
        ends=True,
        environment={"GRACE_SECONDS": "0", **UNSPOOLED},
    ),
    Strike("SIGKILL", _signal(signal.SIGKILL), ends=True, environment=UNSPOOLED),
    Strike("the disk is filled", _fill, _empty),
    Strike("a full disk", _fill, _empty, midway=False),
    Strike("few handles", _take_handles, _give_handles, midway=False),
]


@pytest.mark.parametrize("strike", STRIKES, ids=str)
def test_a_process_that_is_struck(
    tmp_path: Path, library: Library, request: pytest.FixtureRequest, strike: Strike
) -> None:
    """All kinds of downloads at the same time, each by a client of its own."""
    data = tmp_path / "data"
    library.put(1, data / "rows.parquet")
    cases = [taking_turns(turn, f"process: {strike.name}", kind) for turn, kind in enumerate(KINDS)]
    folders = [tmp_path / f"client-{turn}" for turn in range(len(cases))]
    for folder in folders:
        folder.mkdir()
    with small_disk(tmp_path / "spool", DISK_BYTES) as spool, ThreadPoolExecutor(len(cases)) as clients:
        given = {"SPOOL_DIR": str(spool), "PRODUCTION_LIMIT": "20", "METRICS": "prometheus"}
        given |= strike.environment
        with (
            running(data, command=UVICORN, **given) as server,
            proxying(server.url, buffer=64 << 10) as proxy,
        ):
            Next.ask(server.url, KINDS[0], "rows")
            if strike.midway:
                proxy.hold_after(HELD_AFTER)
            else:
                strike.strike(server, spool)
            seen = [
                clients.submit(see, case, proxy.url + case.kind.path("rows"), folder)
                for case, folder in zip(cases, folders, strict=True)
            ]
            if strike.midway:
                assert eventually(lambda: not proxy.flowing.is_set())
                strike.strike(server, spool)
                proxy.release()
            saws = [each.result(4 * SECONDS) for each in seen]
            if strike.ends:
                server.process.wait(SECONDS)
                # A journal of what was read may stay; no result does.
                assert [path for path in spool.rglob("*") if path.stat().st_size > JOURNAL_BYTES] == []
                freed = "the process, spool"
            else:
                strike.mend(server, spool)
                assert eventually(lambda: not _held(server), SECONDS), _held(server)
                freed = "productions, tapes, handles"
                _tell(request.node, server.url, cases, saws, freed)
        if strike.ends:
            with running(data, command=UVICORN, **given) as server:
                _tell(request.node, server.url, cases, saws, freed)


def _tell(node: pytest.Item, url: str, cases: list[Case], saws: list[Saw], freed: str) -> None:
    for case, saw in zip(cases, saws, strict=True):
        after = Next.ask(url, case.kind, "rows")
        tell(node, case, after.judge(case.kind, saw, (1,)), freed, f"200, version {after.version}")


def _held(server: Running) -> dict[str, float]:
    """What a process still has of downloads."""
    page = server.samples()
    found = {name: total(page, name) for name in ("productions_running", "productions_queued")}
    # The page itself is one.
    found["connections"] = connections(server.process.pid, server.port) - 1
    return {name: value for name, value in found.items() if value > 0}


@pytest.fixture
def dataset(unspooled: Folder, library: Library) -> Iterator[str]:
    name = f"threads-{next(names)}"
    file = unspooled.folder / f"{name}.parquet"
    library.put(1, file)
    yield name
    file.unlink()


@pytest.mark.parametrize(("name", "kind"), list(product(THREADS, MADE)), ids=str)
def test_no_thread_can_be_started(
    folder_court: Court, dataset: str, monkeypatch: pytest.MonkeyPatch, name: str, kind: Kind
) -> None:
    original = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name == name:
            raise RuntimeError("can't start new thread")
        original(self)

    case = taking_turns(next(names), f"process: no thread for {name}", kind)
    folder_court.judge(
        case,
        dataset,
        lambda: monkeypatch.setattr(threading.Thread, "start", original),
        cause=lambda: monkeypatch.setattr(threading.Thread, "start", start),
        versions=(1,) if name == SPARE else (),
    )
