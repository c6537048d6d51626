"""What a request brings to the production that it joins or begins."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """How long a production goes on after its last reader left, in seconds, and for whom it was begun.

    Without ``queues`` it is begun only where it has a slot at once.
    """

    hold_seconds: float = 0.0
    client: str = ""
    queues: bool = True


class Alarm(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Let it not come, if it has not begun."""


Later = Callable[[float, Callable[[], None]], Alarm]


def call_later(seconds: float, call: Callable[[], None]) -> Alarm:
    """Call so many seconds from now, in a thread; raises RuntimeError where none can start."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    return timer
