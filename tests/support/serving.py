"""A real uvicorn on a free port, in a thread, where a test can see what the service does."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from application.lifespan import Lifespan
from application.main import create_app
from application.settings import Settings

SECONDS = 15.0
# What a client sees of a download that is broken off: a reset, or an end in the middle.
BROKEN_OFF = (httpx2.ReadError, httpx2.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its address, its process's lifespan, and a client."""

    url: str
    port: int
    listener: socket.socket
    lifespan: Lifespan
    client: httpx2.Client

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.client.get(path, **options)


class _Server(uvicorn.Server):
    """uvicorn's, which notices at once that it is to end, not at its next look."""

    _wake: Callable[[], object] | None = None

    async def main_loop(self) -> None:
        told = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, told.set)
        beat = 0
        while not await self.on_tick(beat):
            beat += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 0.1)

    def end(self) -> None:
        """Have it end, from another thread."""
        self.should_exit = True
        # It may have ended by itself.
        with suppress(RuntimeError):
            if self._wake:
                self._wake()


@contextmanager
def serving(*, parser: Any = "auto", loop: str = "auto", **settings: Any) -> Iterator[Served]:
    """Serve with these settings until the block ends, by one of uvicorn's parsers and loops."""
    app = create_app(Settings(**{"log_level": "ERROR", "duckdb_threads": 2, **settings}))
    server = _Server(
        uvicorn.Config(
            app,
            port=0,
            http=parser,
            loop=loop,
            log_level="critical",
            log_config=None,
            lifespan="on",
            proxy_headers=False,
            timeout_graceful_shutdown=3,
        )
    )
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        listener = server.servers[0].sockets[0]
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(
            headers={"accept-encoding": "identity"}, base_url=url, timeout=SECONDS, trust_env=False
        ) as client:
            yield Served(url, port, listener, app.state.lifespan, client)
    finally:
        server.end()
        thread.join(SECONDS)
    assert not thread.is_alive(), "the server did not stop"


@contextmanager
def serving_folder(folder: Path, **settings: Any) -> Iterator[Served]:
    """Serve the datasets of a folder, looked at anew for every request."""
    given = {"dataset_bucket": folder.as_uri(), "dataset_prefix": "", "catalogue_max_age": 0, **settings}
    with serving(**given) as served:
        yield served


def eventually(holds: Callable[[], object], seconds: float = SECONDS, *, pause: float = 0.01) -> bool:
    """Wait until it holds; False when it does not in time. What is asked of a server takes a longer pause."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def productions() -> int:
    """How many downloads are being made in this process."""
    return sum(thread.name == "production" for thread in threading.enumerate())
