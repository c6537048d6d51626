"""What a request brings to the production that it joins or begins."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from application.errors import Busy

# Of productions that outlive their readers: for each client, and for the process.
MOST_HELD_OF_CLIENT, MOST_HELD = 1, 2


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


def check_held(client: str, held: Sequence[str]) -> None:
    """Raise Busy where one more that outlives its readers is too many; ``held`` are the others' clients."""
    if held.count(client) >= MOST_HELD_OF_CLIENT:
        raise Busy("Another download is being made for this client; try again later.")
    if len(held) >= MOST_HELD:
        raise Busy("Too many downloads are being made for later; try again later.")
