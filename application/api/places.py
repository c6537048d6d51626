"""A place among a client's simultaneous downloads, where CLIENT_DOWNLOADS limits them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Scope

from application.access.client_downloads import ClientDownloads
from application.api.state import access_of, asker_of
from application.errors import TooManyDownloads

# A client that has read the last byte asks again before the server has put everything away.
TRIES, PAUSE_SECONDS = 6, 0.05


@asynccontextmanager
async def download_place(scope: Scope) -> AsyncIterator[None]:
    """Have a place until the block ends, also one that becomes free within a moment.

    Raises TooManyDownloads.
    """
    places, asker = access_of(scope).downloads, asker_of(scope)
    if places is None:
        yield
        return
    await _take(places, asker)
    try:
        yield
    finally:
        places.give_back(asker)


async def _take(places: ClientDownloads, asker: str) -> None:
    for _ in range(TRIES):
        if places.take(asker):
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise TooManyDownloads(
        "This client has as many downloads at the same time as it may; try again when one has ended."
    )
