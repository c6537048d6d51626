"""The use case, for HTTP and for the command line: plan a download, then open its bytes."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version

from application import __version__
from application.arrow import can_be_read_again, output_schema
from application.cancellation import Cancellation
from application.catalogue import Catalogue
from application.compression import IDENTITY, Compressor
from application.engine import VECTOR_ROWS, Engine
from application.errors import ColumnUnsupported, DatasetChanged, FormatUnknown
from application.formats import FORMATS, Chunk, Format
from application.models import Dataset, Query
from application.native import ObjectReader
from application.production import Productions
from application.query import PLACES, parse
from application.spool import Reader, Tape
from application.storage.base import Storage

WRITERS = ("duckdb", "pyarrow", "polars", "orjson", "isal", "zstandard")
NATIVE = "parquet"
# A result that may be small is made before its headers go out, up to this many bytes or seconds.
SMALL_BYTES = 4 << 20
SMALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for, as text: a dataset's name, an extension, query parameters, and a coding."""

    name: str
    extension: str
    parameters: tuple[tuple[str, str], ...] = ()
    coding: str = IDENTITY


@dataclass(frozen=True, slots=True)
class Plan:
    """A download that fits its dataset; nothing has run yet. ``e_tag`` is without quotes."""

    dataset: Dataset
    query: Query
    format: Format
    coding: str
    e_tag: str

    @property
    def is_native(self) -> bool:
        """True when the result is the stored object itself."""
        return is_native(self.dataset, self.query, self.format)

    @property
    def may_be_small(self) -> bool:
        """False for a whole dataset that is known to be more than a small result."""
        dataset = self.dataset
        return bool(self.query.filters) or dataset.rows * dataset.row_bytes <= SMALL_BYTES

    @property
    def filename(self) -> str:
        """The name that browsers save it under."""
        return f"{self.dataset.name}.{self.format.extension}"


class _Output:
    """A tape, behind a compressor where the coding asks for one."""

    def __init__(self, tape: Tape, coding: str) -> None:
        self._tape = tape
        self._compressor = None if coding == IDENTITY else Compressor(coding)

    def write(self, data: Chunk) -> None:
        """Write what is ready of these bytes."""
        self._tape.write(self._compressor.compress(data) if self._compressor else data)

    def finish(self) -> None:
        """Write what the compressor holds; on success only."""
        if self._compressor:
            self._tape.write(self._compressor.finish())


@dataclass(slots=True)
class _Making:
    """One production: the rows of a plan through its encoder onto a tape."""

    plan: Plan
    engine: Engine
    catalogue: Catalogue
    memory: int
    cancellation: Cancellation = field(default_factory=Cancellation)

    def run(self, tape: Tape) -> None:
        """Write the whole result, or raise; the version of the data is compared before and after."""
        plan = self.plan
        self._raise_if_changed()
        encoder = plan.format.encoder()
        output = _Output(tape, plan.coding)
        # The opening bytes wait for the first rows, so that an early failure still gets a status.
        opening = encoder.start(output_schema(plan.dataset, plan.query))
        try:
            with closing(self.engine.batches(plan.dataset, plan.query, self.cancellation)) as batches:
                for batch in batches:
                    if batch.num_rows:
                        tape.rows += batch.num_rows
                        output.write(opening)
                        opening = b""
                        output.write(encoder.encode(batch))
        except Exception:
            self._raise_if_changed()
            raise
        self._raise_if_changed()
        output.write(opening)
        output.write(encoder.finish())
        output.finish()

    def _raise_if_changed(self) -> None:
        if not self.catalogue.is_current(self.plan.dataset):
            raise DatasetChanged(
                f"Dataset {self.plan.dataset.name!r} was replaced while it was read; try again."
            )


class Downloads:
    """Plans downloads and opens them; owns nothing but what it is given."""

    def __init__(
        self,
        storage: Storage,
        catalogue: Catalogue,
        engine: Engine,
        productions: Productions,
        threads: int,
    ) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._engine = engine
        self._productions = productions
        self._threads = threads

    def plan(self, request: Request, *, fresh: bool = False) -> Plan:
        """Fit a request to its dataset; reads metadata only.

        Raises FormatUnknown, DatasetNotFound, DatasetInvalid, QueryInvalid, ColumnUnsupported and
        StorageUnavailable.
        """
        chosen = FORMATS.get(request.extension)
        if chosen is None:
            known = ", ".join(FORMATS)
            raise FormatUnknown(f"There is no format {request.extension!r}; the formats are {known}.")
        dataset = self._catalogue.get(request.name, fresh=fresh)
        query = parse(request.parameters, dataset.columns)
        if not is_native(dataset, query, chosen):
            _check_columns(dataset, query, chosen)
        coding = request.coding if chosen.codable else IDENTITY
        return Plan(dataset, query, chosen, coding, _e_tag(dataset, query, chosen, coding))

    def open(self, plan: Plan) -> Reader | ObjectReader:
        """A reader of the plan's bytes, which other readers of the same ETag share; blocks on no I/O."""
        if plan.is_native:
            return ObjectReader(self._storage, plan.dataset.objects[0])
        memory = VECTOR_ROWS * plan.dataset.row_bytes * self._threads
        return self._productions.join(
            plan.e_tag, lambda: _Making(plan, self._engine, self._catalogue, memory)
        )

    def finished(self, plan: Plan) -> Reader | ObjectReader | None:
        """A reader of the plan's bytes if they are whole already; makes nothing."""
        return self.open(plan) if plan.is_native else self._productions.finished(plan.e_tag)

    async def start(
        self,
        request: Request,
        plan: Plan,
        narrow: Callable[[Plan, Reader | ObjectReader], None],
        *,
        whole: bool,
    ) -> tuple[Plan, Reader | ObjectReader]:
        """Open a plan and wait for its first bytes; for its end if ``whole`` or where it may be small.

        ``narrow`` may cut the reader to a range, once it can be known whether the result is whole.
        A change of the data found by then means one more plan over the new version. Raises what the
        production raises, and ResultTooLarge where the whole has no place.
        """
        for last in (False, True):
            reader = self.open(plan)
            try:
                if whole:
                    await reader.settle()
                elif not plan.is_native and await reader.ready() and plan.may_be_small:
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


def _check_columns(dataset: Dataset, query: Query, chosen: Format) -> None:
    """Refuse by name what cannot be written exactly, before anything runs."""
    # A column of the dataset's own that is named like one of these hides the row numbers.
    is_numbered = not any(column.engine_name.lower() in PLACES for column in dataset.columns)
    for column in query.columns:
        if not column.exact and not (can_be_read_again(column.field.type) and is_numbered):
            raise ColumnUnsupported(
                f"Column {column.name!r} holds {column.field.type} values, which cannot be read exactly; "
                f"leave it out with exclude_field={column.name}."
            )
        if column.engine_type == "VARIANT" and chosen.extension == "parquet":
            raise ColumnUnsupported(
                f"Column {column.name!r} holds variants, which filtered Parquet cannot carry; "
                f"leave it out with exclude_field={column.name} or choose json."
            )
    chosen.check(output_schema(dataset, query))


def is_native(dataset: Dataset, query: Query, chosen: Format) -> bool:
    """True when the result is the stored object itself: Parquet, everything, in one object."""
    return chosen.extension == NATIVE and query.is_whole(dataset) and not dataset.is_folder


def _e_tag(dataset: Dataset, query: Query, chosen: Format, coding: str) -> str:
    """A digest of all that decides the bytes: the data's version, the query, the format, the writers."""
    writers = [f"{name} {version(name)}" for name in WRITERS]
    filters = [(item.column.name, item.operator, item.values) for item in query.filters]
    columns = [column.name for column in query.columns]
    what = (columns, filters, chosen.extension, coding)
    parts = (dataset.name, dataset.e_tag, *what, __version__, writers)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
