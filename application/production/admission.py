"""Who may run beside what runs: by bytes, by cores, and fair to clients and datasets."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from application.errors import ResultTooLarge

# What reads no more than this is over before anybody waits for it.
SHORT_BYTES = 16 << 20
# Of the ceiling, and of the memory on top, for short work only: large work never has them.
SHORT_SHARE, SHORT_MEMORY_SHARE = 4, 8
# How long the cores are looked at, and below which share of them they have room.
WINDOW_SECONDS = 0.25
IDLE_SHARE = 0.5


@dataclass(eq=False, frozen=True, slots=True)
class Work:
    """One production to be admitted: of which dataset, for whom, and what it takes in bytes.

    ``memory`` is what it may need while it runs, ``size`` what it reads at most.
    """

    owner: str
    client: str = ""
    memory: int = 0
    size: float = float("inf")

    @property
    def is_short(self) -> bool:
        """True for what is over in a moment."""
        return self.size <= SHORT_BYTES


@dataclass(frozen=True, slots=True)
class Admission:
    """The policy: at most ``most`` at a time, in ``memory`` bytes, as many as keep ``cores`` busy.

    As many large ones run as there are cores, two at least. Where the cores have room, for work waits for
    storage or for slow readers, more do; and twice as many where a client or a dataset would have none.
    """

    most: int
    memory: int
    cores: int

    def check(self, work: Work) -> None:
        """Raise ResultTooLarge for what can never fit."""
        if work.memory > self.memory:
            needs, has = -(-work.memory >> 20), self.memory >> 20
            raise ResultTooLarge(f"This dataset's rows need {needs} MiB to read; this service has {has} MiB.")

    def admits(self, work: Work, running: Sequence[Work], *, has_room: bool = False) -> bool:
        """True where work may begin beside what runs; ``has_room`` where the cores could do more."""
        return self._has_place(work, running, has_room) and self._fits(work, running)

    def next(
        self, waiting: Iterable[Work], running: Sequence[Work], *, has_room: bool = False
    ) -> Work | None:
        """Who begins next: short work, then whose client, then whose dataset has least; then who asked first.

        What has its place, but not yet the memory, is passed by short work only.
        """
        clients = Counter((other.client, other.is_short) for other in running)
        owners = Counter((other.owner, other.is_short) for other in running)

        def rank(work: Work) -> tuple[bool, int, int]:
            is_short = work.is_short
            return not is_short, clients[work.client, is_short], owners[work.owner, is_short]

        is_held = False
        for work in sorted(waiting, key=rank):
            if (is_held and not work.is_short) or not self._has_place(work, running, has_room):
                continue
            if self._fits(work, running):
                return work
            is_held = True
        return None

    def has_share(self, work: Work, running: Sequence[Work]) -> bool:
        """False where its dataset, or its client, has all places but one that there may be.

        The storage of one dataset may stall, and a client may be slow: others have a place all the same.
        """
        most = _but_one(self.most if work.is_short else self._most_large)
        alike = [other for other in running if other.is_short == work.is_short]
        if sum(other.owner == work.owner for other in alike) >= most:
            return False
        return not work.client or sum(other.client == work.client for other in alike) < most

    def would_admit(self, work: Work, others: Iterable[Work]) -> bool:
        """True where work would begin at once, beside all others that run or wait."""
        running: list[Work] = []
        for other in others:
            if self.admits(other, running):
                running.append(other)
            elif self.has_share(other, running):
                # What it waits for, this one would wait for behind it.
                return False
        return self.admits(work, running)

    def _has_place(self, work: Work, running: Sequence[Work], has_room: bool) -> bool:
        if len(running) >= self.most or not self.has_share(work, running):
            return False
        alike = [other for other in running if other.is_short == work.is_short]
        if work.is_short:
            return has_room or len(alike) < 2 * self._places
        if len(alike) >= self._most_large:
            return False
        if has_room or len(alike) < self._places:
            return True
        is_new = all(other.client != work.client for other in alike) or all(
            other.owner != work.owner for other in alike
        )
        return is_new and len(alike) < 2 * self._places

    def _fits(self, work: Work, running: Sequence[Work]) -> bool:
        most = self.memory + (self.memory // SHORT_MEMORY_SHARE if work.is_short else 0)
        return sum(other.memory for other in running) + work.memory <= most

    @property
    def _places(self) -> int:
        return max(2, self.cores)

    @property
    def _most_large(self) -> int:
        return most_large(self.most)


class Cores:
    """Whether this process leaves its cores idle, by looks at the CPU time that it has used, in seconds."""

    def __init__(
        self,
        count: int,
        used: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._used = used
        self._clock = clock
        self._since, self._before = clock(), used()

    def take_room(self) -> bool:
        """True at most once in a window, where more than half of the cores' time was idle in it."""
        now, used = self._clock(), self._used()
        passed = now - self._since
        if passed < WINDOW_SECONDS:
            return False
        is_idle = used - self._before < IDLE_SHARE * self._count * passed
        # What is longer is of a time in which nobody waited.
        is_recent = passed < 4 * WINDOW_SECONDS
        self._since, self._before = now, used
        return is_idle and is_recent


def most_large(most: int) -> int:
    """How many of so many at a time may be large."""
    return most - most // SHORT_SHARE


def _but_one(count: int) -> int:
    return count - 1 if count > 2 else count
