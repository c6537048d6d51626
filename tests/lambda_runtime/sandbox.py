"""One execution environment: adapter and application as processes, frozen, thawed and killed as by Lambda."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

from tests.lambda_runtime.invocation import Ended, Invocation
from tests.lambda_runtime.runtime_api import RuntimeApi

POLL_SECONDS = 0.005


class Sandbox:
    """Takes invocations from a queue, one at a time, from its start until a process ends or it is killed."""

    def __init__(
        self,
        *,
        adapter: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        pending: "Queue[Invocation]",
        ended: Callable[["Sandbox"], None],
        log: Path,
    ) -> None:
        self._pending = pending
        self._ended = ended
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._is_frozen = False
        self.is_alive = True
        self.is_busy = False
        self.was_ready = False
        self.freezes = 0
        self.api = RuntimeApi(self._take)
        environment = {**environment, "AWS_LAMBDA_RUNTIME_API": self.api.address}
        # Extensions start first on Lambda, and the adapter is one.
        with log.open("ab") as out:
            self.adapter, self.app = (
                subprocess.Popen(
                    program,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
                for program in ([str(adapter)], command)
            )
        self._watchers = [
            threading.Thread(target=self._watch, args=(process,), daemon=True)
            for process in (self.adapter, self.app)
        ]
        for watcher in self._watchers:
            watcher.start()

    def send(self, number: signal.Signals) -> None:
        """Send the application a signal; it is to be running an invocation, or it stays frozen."""
        self._send(self.app, number)

    def kill(self, how: Ended) -> None:
        """End it without a word, as Lambda does at a deadline; a running invocation has ended so."""
        with self._lock:
            if not self.is_alive:
                return
            self.is_alive = False
            if self._timer:
                self._timer.cancel()
        # First the word, or what the processes' end does to their connections would be taken for it.
        self.api.close(how)
        for process in (self.app, self.adapter):
            self._send(process, signal.SIGKILL)
        for process in (self.app, self.adapter):
            process.wait()
        self._ended(self)

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        process.wait()
        self.kill(Ended.CRASHED)

    def _take(self) -> Invocation | None:
        """What the long poll of the runtime answers; between invocations nothing of the sandbox runs."""
        if self._timer:
            self._timer.cancel()
        self.is_busy = False
        self.was_ready = True
        while True:
            # Under the lock, lest one that is killed meanwhile take what another is to have.
            with self._lock:
                if not self.is_alive:
                    return None
                try:
                    invocation = self._pending.get_nowait()
                except Empty:
                    self._freeze()
                else:
                    self._begin(invocation)
                    return invocation
            time.sleep(POLL_SECONDS)

    def _begin(self, invocation: Invocation) -> None:
        self.is_busy = True
        self._thaw()
        seconds = invocation.limits.seconds
        invocation.deadline_ms = int((time.time() + seconds) * 1000)
        self._timer = threading.Timer(seconds, self.kill, (Ended.DEADLINE,))
        self._timer.daemon = True
        self._timer.start()

    def _freeze(self) -> None:
        if not self._is_frozen:
            self._is_frozen = True
            self.freezes += 1
            for process in (self.app, self.adapter):
                self._send(process, signal.SIGSTOP)

    def _thaw(self) -> None:
        if self._is_frozen:
            self._is_frozen = False
            for process in (self.adapter, self.app):
                self._send(process, signal.SIGCONT)

    def _send(self, process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
