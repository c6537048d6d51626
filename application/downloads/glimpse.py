"""How far an estimate is, for who cannot wait for all of it."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from application.downloads.estimate import Estimate
from application.storage.lanes import Lanes, outcome


@dataclass(eq=False, slots=True)
class Glimpse:
    """What is known by now of an estimate; several may wait for it, as a page that is asked for again does.

    ``is_some`` is done once a format is known, or nothing more will be.
    """

    found: Estimate | None = None
    is_whole: bool = False
    is_some: "Future[None]" = field(default_factory=Future)
    work: "Future[None]" = field(default_factory=Future)
    waiting: int = 0

    async def wait(self, seconds: float) -> None:
        """Wait so long for all, then for one format; work that nobody waits for any more does not begin."""
        self.waiting += 1
        try:
            with suppress(TimeoutError):
                await outcome(self.work, seconds)
            await outcome(self.is_some)
            if self.found is None:
                # It failed.
                await outcome(self.work)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.work.cancel()

    def follow(self, steps: Iterator[Estimate], lanes: Lanes) -> None:
        """Go on to the end; once nobody waits for it, until others do."""
        try:
            for count, self.found in enumerate(steps):
                self.is_whole = self.found.is_complete
                if count and not self.is_some.done():
                    self.is_some.set_result(None)
                if self.is_whole or (count and not self.waiting and lanes.is_crowded):
                    return
            self.is_whole = True
        finally:
            if not self.is_some.done():
                self.is_some.set_result(None)
