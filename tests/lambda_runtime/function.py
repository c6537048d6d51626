"""A Lambda function over the real adapter: invoked as by its Function URL, or with an event."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from tests.lambda_runtime.event import function_url_event
from tests.lambda_runtime.front import PLAIN, Front
from tests.lambda_runtime.invocation import Answer, Ended, Invocation, Limits, read
from tests.lambda_runtime.sandbox import Sandbox

NAME = "download-lambda"
ASYNCHRONOUS_ATTEMPTS = 3
# What Lambda sets, and does not: there is no home.
ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": NAME,
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{NAME}",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2024/01/01/[$LATEST]0123456789abcdef",
    "AWS_REGION": "eu-west-2",
    "AWS_DEFAULT_REGION": "eu-west-2",
    "LAMBDA_TASK_ROOT": "/var/task",
    "TZ": ":UTC",
    "LANG": "en_US.UTF-8",
}


@dataclass(frozen=True, slots=True)
class Image:
    """What runs in a sandbox: the command with its port left open, and the environment of the image."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def on_port(self, port: int) -> tuple[list[str], dict[str, str]]:
        """Command and environment for one port."""
        command = [part.replace("{port}", str(port)) for part in self.command]
        return command, {name: value.replace("{port}", str(port)) for name, value in self.environment.items()}


class Function:
    """Starts a sandbox when an invocation finds none free, up to ``concurrency``; others wait.

    A sandbox has the ``environment`` of the moment when it starts.
    """

    def __init__(
        self,
        adapter: Path,
        image: Image,
        environment: Mapping[str, str],
        log: Path,
        *,
        limits: Limits | None = None,
        front: Front = PLAIN,
        concurrency: int = 1,
    ) -> None:
        self._adapter = adapter
        self._image = image
        self.environment = {**ENVIRONMENT, **environment}
        self._log = log
        self._concurrency = concurrency
        self._pending: Queue[Invocation] = Queue()
        self._lock = threading.RLock()
        self._is_open = True
        self.name = NAME
        self.limits = limits or Limits()
        self.front = front
        self.sandboxes: list[Sandbox] = []
        self.starts = 0
        self.events: list[Answer] = []

    def invoke(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        limits: Limits | None = None,
        leave_after: int | None = None,
    ) -> Answer:
        """A request to the Function URL, and what its client gets; it may leave after so many bytes."""
        event = function_url_event(method, target, headers, body)
        return read(self.submit(event, limits, self.front), leave_after, method)

    def invoke_event(self, payload: object) -> Answer:
        """An asynchronous invocation, tried as often as Lambda does; the last attempt's response."""
        event = json.dumps(payload).encode()
        for _ in range(ASYNCHRONOUS_ATTEMPTS):
            answer = read(self.submit(event))
            if answer.ended is Ended.WHOLE:
                break
        self.events.append(answer)
        return answer

    def submit(self, event: bytes, limits: Limits | None = None, front: Front = PLAIN) -> Invocation:
        """Queue an event for the next sandbox that is free."""
        invocation = Invocation(event, limits or self.limits, front)
        self._pending.put(invocation)
        self._start_if_needed()
        return invocation

    @property
    def sandbox(self) -> Sandbox:
        """The one sandbox that is alive."""
        (found,) = self.sandboxes
        return found

    @property
    def log(self) -> str:
        """What application and adapter wrote."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """Kill what is left."""
        self._is_open = False
        for sandbox in list(self.sandboxes):
            sandbox.kill(Ended.CRASHED)

    def _start_if_needed(self) -> None:
        with self._lock:
            free = sum(not sandbox.is_busy for sandbox in self.sandboxes)
            is_needed = self._pending.qsize() > free and len(self.sandboxes) < self._concurrency
            if not self._is_open or not is_needed:
                return
            command, environment = self._image.on_port(free_port())
            self.starts += 1
            self.sandboxes.append(
                Sandbox(
                    adapter=self._adapter,
                    command=command,
                    environment={**environment, **self.environment},
                    pending=self._pending,
                    ended=self._sandbox_ended,
                    log=self._log,
                )
            )

    def _sandbox_ended(self, sandbox: Sandbox) -> None:
        with self._lock:
            self.sandboxes.remove(sandbox)
        if not sandbox.was_ready:
            # It did not come up; to try for ever would hide that.
            with suppress(Empty):
                self._pending.get_nowait().end(Ended.CRASHED)
        self._start_if_needed()


@contextmanager
def function(
    adapter: Path,
    image: Image,
    environment: Mapping[str, str],
    log: Path,
    *,
    limits: Limits | None = None,
    front: Front = PLAIN,
    concurrency: int = 1,
) -> Iterator[Function]:
    """A function for the length of the block; its log is shown where the block fails."""
    made = Function(adapter, image, environment, log, limits=limits, front=front, concurrency=concurrency)
    try:
        yield made
    finally:
        made.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
