"""The law that every case is held to, and the line of the table that it becomes."""

import gc
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx2
import pyarrow as pa
import pytest

from application.formats.compression import IDENTITY
from tests.faults.clients import CLIENTS, Client, Failed, download
from tests.faults.data import PARSERS, Kind, undo, version_of
from tests.support.descriptors import anonymous, descriptors
from tests.support.serving import SECONDS, Served, eventually, productions
from tests.support.sockets import connections

# Threads that wait for work: an event loop's, the spool's, and those of what plays the storage.
POOLS = ("asyncio_", "spool", "uvloop_", "AnyIO", "ThreadPoolExecutor", "storage", "Thread-", "fsspec")
LINE = "line"


@dataclass(frozen=True, slots=True)
class Case:
    """One fault as one client sees it."""

    fault: str
    kind: Kind
    client: Client

    def __str__(self) -> str:
        return f"{self.fault}-{self.kind}-{self.client.name}".replace(" ", "_")


def taking_turns(turn: int, fault: str, kind: Kind) -> Case:
    """Clients take turns, so that each meets most faults and formats."""
    takers = [client for client in CLIENTS if client.takes(kind.extension, kind.coding)]
    return Case(fault, kind, takers[turn % len(takers)])


Saw: TypeAlias = "bytes | pa.Table | str"


def see(case: Case, url: str, folder: Path) -> Saw:
    """What the client got, or how it failed, in its words."""
    try:
        return download(case.client, url, case.kind.coding, folder)
    except Failed as failure:
        words = str(failure)
    # What it was raised from holds the client's connection.
    gc.collect()
    return words


@dataclass(frozen=True, slots=True)
class Next:
    """The next request, which must be right: its body, and the version of which it has all rows."""

    body: bytes
    version: int | None

    @classmethod
    def ask(cls, url: str, kind: Kind, dataset: str) -> "Next":
        """Ask for the same, over a connection of its own.

        Once more where it is told to: it may have joined what was begun before the fault was over.
        """
        for _ in range(2):
            response = httpx2.get(
                url + kind.path(dataset),
                headers={"Accept-Encoding": IDENTITY, "Connection": "close"},
                timeout=SECONDS,
                trust_env=False,
            )
            if response.status_code != 503 or "retry-after" not in response.headers:
                break
        assert response.status_code == 200, response.text
        parse = PARSERS.get(kind.extension)
        return cls(response.content, version_of(parse(response.content)) if parse else None)

    def judge(self, kind: Kind, saw: Saw, versions: tuple[int, ...]) -> str:
        """All rows of a version that there was, or a clear failure; returns it in words."""
        if isinstance(saw, str):
            return f"failed: {saw}"
        version = self._version(kind, saw)
        assert version in versions, f"rows of version {version}"
        return f"all rows of version {version}"

    def _version(self, kind: Kind, saw: "bytes | pa.Table") -> int | None:
        if isinstance(saw, pa.Table):
            return version_of(saw)
        body = undo(saw, kind.coding)
        if body == self.body:
            return self.version
        parse = PARSERS.get(kind.extension)
        assert parse, "other bytes than the next request's"
        return version_of(parse(body))


@dataclass(slots=True)
class Court:
    """Runs cases against one server of this process; ``spool`` is its folder."""

    served: Served
    spool: Path | None
    data: Path
    folder: Path
    node: pytest.Item

    def judge(
        self,
        case: Case,
        dataset: str,
        mend: Callable[[], None],
        *,
        url: str = "",
        cause: Callable[[], None] = lambda: None,
        versions: tuple[int, ...] = (1,),
    ) -> None:
        """All rows or a clear failure; then the next request is right, and nothing is left.

        ``cause`` begins the fault and ``mend`` ends it; the client asks at ``url``, by default the server's.
        """
        self._forget()
        before = threads()
        cause()
        saw = see(case, (url or self.served.url) + case.kind.path(dataset), self.folder)
        mend()
        after = Next.ask(self.served.url, case.kind, dataset)
        words = after.judge(case.kind, saw, versions)
        tell(self.node, case, words, self._freed(before), f"200, version {after.version}")

    def _freed(self, before: "Counter[str]") -> str:
        """Wait until nothing is left of a case, or fail with what is."""

        def left() -> dict[str, object]:
            found = {
                "productions": productions(),
                "threads": dict(threads() - before),
                "connections": connections(os.getpid(), self.served.port),
                "files": descriptors(self.data),
                "spool": anonymous(self.spool) if self.spool else 0,
            }
            return {name: value for name, value in found.items() if value}

        self._forget()
        assert eventually(lambda: not left(), SECONDS), f"left: {left()}"
        return "threads, handles, spool"

    def _forget(self) -> None:
        """Drop what is kept, so that the next request reads."""
        while self.served.lifespan.get().productions.make_room():
            continue


def threads() -> "Counter[str]":
    """The threads that are no pool's, by name."""
    names = (thread.name for thread in threading.enumerate())
    return Counter(name for name in names if not name.startswith(POOLS))


def tell(node: pytest.Item, case: Case, saw: str, freed: str, after: str) -> None:
    """Have the table's line: fault, format, coding, what the client saw, what was freed, the next request."""
    cells = (case.fault, case.kind.name, case.kind.coding, f"{case.client.name}: {saw}", freed, after)
    node.user_properties.append((LINE, " | ".join(cell.replace("\n", " ")[:110] for cell in cells)))
