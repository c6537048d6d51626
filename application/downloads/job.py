"""One production: the rows of a plan through its encoder, and a compressor, onto a tape."""

import time
from contextlib import closing
from dataclasses import dataclass, field

from application.datasets.catalogue import Catalogue
from application.downloads.plan import Plan
from application.engine.cancellation import Cancellation
from application.engine.conform import output_schema
from application.engine.scan import Engine
from application.errors import DatasetChanged
from application.formats import Chunk
from application.formats.compression import IDENTITY, Compressor
from application.production.lookahead import read_ahead
from application.spool import Tape

# What a value counts for at least, by which its work is reckoned.
LEAF_BYTES = 4


class _Output:
    """A tape, behind a compressor where the coding asks for one."""

    def __init__(self, tape: Tape, coding: str, workers: int) -> None:
        self._tape = tape
        self._compressor = None if coding == IDENTITY else Compressor(coding, workers)

    def write(self, data: Chunk) -> None:
        """Write what is ready of these bytes."""
        self._tape.write(self._compressor.compress(data) if self._compressor else data)

    def finish(self) -> None:
        """Write what the compressor holds; on success only."""
        if self._compressor:
            self._tape.write(self._compressor.finish())

    def close(self) -> None:
        """Let go of what compresses."""
        if self._compressor:
            self._compressor.close()


@dataclass(slots=True)
class DownloadJob:
    """One production: the rows of a plan through its encoder onto a tape, by so many threads where it can."""

    plan: Plan
    engine: Engine
    catalogue: Catalogue
    memory: int
    threads: int = 1
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def owner(self) -> str:
        """Whose slots it takes: its dataset."""
        return self.plan.dataset.name

    def size(self) -> int:
        """Bytes of rows that it reads at most, as far as the footers tell."""
        dataset, query = self.plan.dataset, self.plan.query
        rows = self.catalogue.rows_at_most(dataset, query)
        if query.limit is not None and not (query.filters or query.period or query.order):
            rows = min(rows, query.offset + query.limit)
        extents, columns = dataset.extents, query.columns_read
        share = extents.vector_bytes(columns) / max(1, extents.vector_bytes(dataset.columns))
        # What is small because values repeat takes its time all the same.
        return rows * max(int(share * dataset.row_bytes), LEAF_BYTES * extents.leaf_count(columns))

    def effort(self) -> float:
        """The process's CPU seconds while rows are put in order, which gives none before it has seen all."""
        return time.process_time() if self.plan.query.order else 0.0

    def run(self, tape: Tape) -> None:
        """Write the whole result, or raise; the version of the data is compared before and after."""
        with closing(_Output(tape, self.plan.coding, self.threads)) as output:
            self._write(tape, output)

    def _write(self, tape: Tape, output: _Output) -> None:
        plan = self.plan
        self._raise_if_changed()
        encoder = plan.format.open_encoder(plan.query.dialect, plan.about)
        try:
            dataset, query = self.engine.settled(
                plan.dataset, plan.query, self.cancellation, wkt=plan.format.wkt
            )
            # The opening bytes wait for the first rows, so that an early failure still gets a status.
            opening = encoder.start(output_schema(dataset, query))
            parts = self.catalogue.matching(dataset, query)
            rows = self.engine.batches(dataset, query, self.cancellation, parts)
            with read_ahead(rows, self.cancellation.set) as batches:
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
        if not tape.size:
            tape.write(plan.filler)

    def _raise_if_changed(self) -> None:
        if not self.catalogue.is_current(self.plan.dataset):
            raise DatasetChanged(
                f"Dataset {self.plan.dataset.name!r} was replaced while it was read; try again."
            )
