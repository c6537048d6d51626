"""The use case, for HTTP and for the command line: plan a download, then open its bytes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from application.datasets.catalogue import Catalogue
from application.downloads.job import DownloadJob
from application.downloads.limits import Limits
from application.downloads.plan import SMALL_BYTES, SMALL_SECONDS, Plan, Request, find_format, make_plan
from application.downloads.stored import ObjectReader
from application.engine.scan import VECTOR_ROWS, Engine
from application.errors import AnswerTooLarge, DatasetChanged
from application.production.productions import Productions
from application.spool import Reader
from application.storage.base import Storage
from application.telemetry.tracing import span


class Downloads:
    """Plans downloads and opens them; owns nothing but what it is given."""

    def __init__(
        self,
        storage: Storage,
        catalogue: Catalogue,
        engine: Engine,
        productions: Productions,
        *,
        threads: int,
        folder: Path | None,
    ) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._engine = engine
        self._productions = productions
        self._threads = threads
        self._folder = folder

    def plan(self, request: Request, *, fresh: bool = False) -> Plan:
        """Fit a request to its dataset; reads metadata only.

        Raises FormatUnknown, DatasetNotFound, DatasetInvalid, QueryInvalid, ColumnUnsupported and
        StorageUnavailable.
        """
        chosen = find_format(request.extension)
        with span("plan", download_dataset=request.name, download_format=request.extension):
            return make_plan(request, self._catalogue.get(request.name, fresh=fresh), chosen)

    def open(self, plan: Plan) -> Reader | ObjectReader:
        """A reader of the plan's bytes, which other readers of the same ETag share; blocks on no I/O."""
        if plan.is_native:
            make_room = self._productions.make_room
            return ObjectReader(self._storage, plan.dataset.objects[0], self._folder, make_room)
        memory = VECTOR_ROWS * plan.dataset.row_bytes * self._threads
        return self._productions.join(
            plan.e_tag, lambda: DownloadJob(plan, self._engine, self._catalogue, memory)
        )

    def finished(self, plan: Plan) -> Reader | ObjectReader | None:
        """A reader of the plan's bytes if they are whole already; makes nothing."""
        return self.open(plan) if plan.is_native else self._productions.finished(plan.e_tag)

    async def start(
        self,
        request: Request,
        plan: Plan,
        narrow: Callable[[Plan, Reader | ObjectReader], None],
        limits: Limits | None,
    ) -> tuple[Plan, Reader | ObjectReader]:
        """Open a plan and wait for its first bytes; for its end within ``limits`` or where it may be small.

        ``narrow`` may cut the reader to a range, once it can be known whether the result is whole.
        A change of the data found by then means one more plan over the new version. Raises what the
        production raises, and AnswerTooLarge where the whole has no place or is beyond the limits.
        """
        for last in (False, True):
            reader = self.open(plan)
            try:
                if limits:
                    await _made_whole(plan, reader, narrow, limits)
                else:
                    if isinstance(reader, Reader) and await reader.ready() and plan.may_be_small:
                        await reader.settle(SMALL_BYTES, SMALL_SECONDS)
                    narrow(plan, reader)
                await reader.ready()
            except DatasetChanged:
                reader.close()
                if last:
                    raise
                plan = await asyncio.to_thread(self.plan, request, fresh=True)
            except BaseException:
                reader.close()
                raise
            else:
                break
        return plan, reader


async def _made_whole(
    plan: Plan,
    reader: Reader | ObjectReader,
    narrow: Callable[[Plan, Reader | ObjectReader], None],
    limits: Limits,
) -> None:
    """Have everything that will be sent here, or raise; AnswerTooLarge with what the client can do."""
    try:
        async with asyncio.timeout(limits.seconds_left):
            if isinstance(reader, Reader):
                await reader.settle()
            narrow(plan, reader)
            if reader.left is not None:
                limits.check(reader.left)
            if isinstance(reader, ObjectReader):
                await reader.hold()
    except TimeoutError:
        too_slow = "DownloadJob the result takes longer than an answer may take here."
        raise AnswerTooLarge(f"{too_slow} {plan.advice}") from None
    except AnswerTooLarge as error:
        raise AnswerTooLarge(f"{error} {plan.advice}") from error
