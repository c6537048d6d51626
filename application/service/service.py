"""The parts of one running service, closed together."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.allowances import Room
from application.errors import StorageStalled
from application.production.productions import Productions
from application.service.readiness import Readiness
from application.settings import Settings
from application.storage.base import Storage
from application.storage.lanes import Lanes, outcome

if TYPE_CHECKING:
    from application.datasets.catalogue import Catalogue
    from application.datasets.checks import PageChecks
    from application.datasets.listing import Listing
    from application.datasets.profiles import Profiles
    from application.downloads.answers import Answers
    from application.downloads.downloads import Downloads
    from application.downloads.estimates import Estimates
    from application.downloads.exports import Exports
    from application.downloads.labels import Labels
    from application.downloads.offers import Offers
    from application.downloads.redirects import Redirects
    from application.downloads.regions import Regions
    from application.downloads.status import Statuses
    from application.engine.scan import Engine

# For which a stop waits for what has been broken off.
STOP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a request or a command needs."""

    settings: Settings
    storage: Storage
    engine: Engine
    catalogue: Catalogue
    listing: Listing
    checks: PageChecks
    profiles: Profiles
    labels: Labels
    regions: Regions
    productions: Productions
    downloads: Downloads
    answers: Answers
    offers: Offers
    estimates: Estimates
    statuses: Statuses
    exports: Exports | None
    redirects: Redirects
    lanes: Lanes
    readiness: Readiness
    room: Room

    def admit(self) -> None:
        """Raise Stopping or Busy where no download is to be begun."""
        self.productions.check()
        self.room.check()

    async def check(self) -> None:
        """See that storage and engine answer.

        Raises Stopping, StorageUnavailable, StorageStalled or EngineFailed.
        """
        self.productions.check()
        try:
            await outcome(self.readiness.look(), self.settings.plan_seconds)
        except TimeoutError:
            raise StorageStalled("Storage takes too long to answer.") from None

    def readings(self) -> dict[str, float]:
        """What the metrics show of the service as it is."""
        exported = self.exports.readings() if self.exports else {}
        return {**self.productions.readings(), **exported, "engine_replacements": self.engine.replacements}

    def drain(self) -> None:
        """Begin no more downloads; what runs has the grace period, and is broken off after it."""
        self.productions.drain()
        timer = threading.Timer(self.settings.grace_seconds, self._abort)
        timer.daemon = True
        try:
            timer.start()
        except (RuntimeError, MemoryError):
            # Without a thread to wait in, nobody waits.
            self._abort()

    def _abort(self) -> None:
        self.engine.give_up()
        self.productions.abort()

    def close(self) -> None:
        """Stop what runs and free what is held."""
        self.checks.close()
        self.profiles.close()
        self.engine.give_up()
        self.productions.close()
        self.listing.close(STOP_SECONDS)
        self.estimates.close(STOP_SECONDS)
        self.engine.close()
        self.lanes.close(STOP_SECONDS)
