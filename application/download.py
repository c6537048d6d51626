"""The use case, for HTTP and for the command line: plan a download, then open its bytes."""

import asyncio
import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version

from application import __version__
from application.arrow import can_be_read_again
from application.catalogue import Catalogue
from application.engine import VECTOR_ROWS, Cancellation, Engine, output_schema
from application.errors import ColumnUnsupported, DatasetChanged, FormatUnknown
from application.formats import FORMATS, Format
from application.models import Dataset, Query
from application.production import Productions
from application.query import PLACES, parse
from application.spool import Reader, Tape

WRITERS = ("duckdb", "pyarrow", "polars", "orjson")


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
        write = _coded(tape, plan.coding)
        # The opening bytes wait for the first rows, so that an early failure still gets a status.
        opening = encoder.start(output_schema(plan.dataset, plan.query))
        try:
            with closing(self.engine.batches(plan.dataset, plan.query, self.cancellation)) as batches:
                for batch in batches:
                    if batch.num_rows:
                        write(opening)
                        opening = b""
                        write(encoder.encode(batch))
        except Exception:
            self._raise_if_changed()
            raise
        self._raise_if_changed()
        write(opening)
        write(encoder.finish())
        write(None)

    def _raise_if_changed(self) -> None:
        if not self.catalogue.is_current(self.plan.dataset):
            raise DatasetChanged(
                f"Dataset {self.plan.dataset.name!r} was replaced while it was read; try again."
            )


class Downloads:
    """Plans downloads and opens them; owns nothing but what it is given."""

    def __init__(self, catalogue: Catalogue, engine: Engine, productions: Productions, threads: int) -> None:
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
        _check_columns(dataset, query, chosen)
        return Plan(dataset, query, chosen, _e_tag(dataset, query, chosen))

    def open(self, plan: Plan) -> Reader:
        """A reader of the plan's bytes, which other readers of the same ETag share; blocks on no I/O."""
        memory = VECTOR_ROWS * plan.dataset.row_bytes * self._threads
        return self._productions.join(
            plan.e_tag, lambda: _Making(plan, self._engine, self._catalogue, memory)
        )

    async def start(self, request: Request, plan: Plan) -> tuple[Plan, Reader]:
        """Open a plan and wait for its first bytes or its end.

        A change of the data found by then means one more plan over the new version.
        """
        for last in (False, True):
            reader = self.open(plan)
            try:
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


def _e_tag(dataset: Dataset, query: Query, chosen: Format) -> str:
    """A digest of all that decides the bytes: the data's version, the query, the format, the writers."""
    writers = [f"{name} {version(name)}" for name in WRITERS]
    filters = [(item.column.name, item.operator, item.values) for item in query.filters]
    columns = [column.name for column in query.columns]
    parts = (dataset.name, dataset.e_tag, columns, filters, chosen.extension, __version__, writers)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
