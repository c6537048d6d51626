"""One production: the rows of a plan through its encoder, and a compressor, onto a tape."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import pyarrow as pa

from application.datasets.catalogue import Catalogue
from application.downloads.plan import Plan
from application.engine.cancellation import Cancellation
from application.engine.conform import output_schema
from application.engine.scan import Engine
from application.engine.windows import VECTOR_ROWS
from application.errors import DatasetChanged
from application.formats import Chunk, Encoder, GroupEncoder
from application.formats.compression import IDENTITY, Compressor
from application.formats.geoarrow import GeoarrowTexts
from application.formats.workplace import INDEX_BYTES, MEMORY_BYTES, Workplace
from application.production.pipeline import stage
from application.spool import LATEST_BYTES, Tape

# What a value counts for at least, by which its work is reckoned.
LEAF_BYTES = 4
# Bytes that wait for the next stage, or are in the making: of rows, and of what was written of them.
ROWS_AHEAD = 8 << 20
CHUNKS_AHEAD = 16 << 20
GROUPS_AHEAD = 64 << 20

Rows = TypeVar("Rows")
Group = TypeVar("Group")


@runtime_checkable
class Layer(Protocol):
    """An encoder that has the engine make all of the file at its end."""

    def pieces(self) -> Iterator[Chunk]:
        """All of the file, for ``finish``."""

    def interrupt(self) -> None:
        """Stop what runs."""

    def close(self) -> None:
        """Leave nothing behind."""


def staged_bytes(plan: Plan) -> int:
    """Bytes between the stages and just written, at most: what these take, or rows and what comes of them."""
    dataset = plan.dataset
    rows = dataset.extents.vector_bytes(plan.query.columns_read) * dataset.rows // VECTOR_ROWS
    return min(ROWS_AHEAD + CHUNKS_AHEAD + LATEST_BYTES, 2 * rows)


def layer_bytes(plan: Plan, rows: int) -> int:
    """Bytes of memory in which a layer of at most so many rows is made at the end; 0 for what is no layer."""
    if not plan.format.layer:
        return 0
    has_index = plan.format.reorders and not plan.query.order
    return MEMORY_BYTES + (INDEX_BYTES * rows if has_index else 0)


class FileChunks:
    """A file's chunks with what stands before them: its opening before the first, a joiner before the others.

    The opening waits for the first rows, so that an early failure still gets a status.
    """

    def __init__(self, opening: Chunk, joiner: bytes) -> None:
        self._opening = opening
        self._joiner = joiner
        self._begun = False

    def of(self, encoded: Iterator[Chunk]) -> Iterator[Chunk]:
        """All but the end."""
        for chunk in encoded:
            yield self._joiner if self._begun else self._opening
            self._begun = True
            yield chunk

    def end(self, encoder: Encoder) -> Iterator[Chunk]:
        """The end; all there is, where there are no rows."""
        if not self._begun:
            yield self._opening
        if isinstance(encoder, Layer):
            yield from encoder.pieces()
        else:
            yield encoder.finish()


@dataclass(slots=True)
class DownloadJob:
    """One production: the rows of a plan through its encoder onto a tape, by so many threads where it can.

    ``memory`` is what it may need with so many ``cursors``.
    """

    plan: Plan
    engine: Engine
    catalogue: Catalogue
    memory: int
    threads: int = 1
    cursors: int = 1
    folder: Path | None = None
    make_room: Callable[[], bool] = lambda: False
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def owner(self) -> str:
        """Whose slots it takes: its dataset."""
        return self.plan.dataset.name

    def size(self) -> int:
        """Bytes of rows that it reads at most, as far as the footers tell."""
        dataset, query = self.plan.dataset, self.plan.query
        rows = self.catalogue.rows_at_most(dataset, query)
        if query.limit is not None and not (query.filters or query.areas or query.period or query.order):
            rows = min(rows, query.offset + query.limit)
        extents, columns = dataset.extents, query.columns_read
        share = extents.vector_bytes(columns) / max(1, extents.vector_bytes(dataset.columns))
        # What is small because values repeat takes its time all the same.
        return rows * max(int(share * dataset.row_bytes), LEAF_BYTES * extents.leaf_count(columns))

    def effort(self) -> float:
        """The process's CPU seconds while rows are put in order, or looked for: long without any bytes."""
        query = self.plan.query
        is_silent = query.order or query.areas or self.plan.format.layer
        return time.process_time() if is_silent else 0.0

    def run(self, tape: Tape) -> None:
        """Write the whole result, or raise; the version of the data is compared before and after."""
        with ExitStack() as held:
            is_coded = self.plan.coding != IDENTITY
            coded = held.enter_context(Compressor(self.plan.coding, self.threads)) if is_coded else None
            self._write(tape, coded, held)

    def _write(self, tape: Tape, compressor: Compressor | None, held: ExitStack) -> None:
        plan = self.plan
        self._raise_if_changed()
        workplace = Workplace(self.folder, self.make_room, tape.foresee)
        encoder = plan.format.open_encoder(plan.query.dialect, plan.about, plan.query.shape, workplace)
        if isinstance(encoder, Layer):
            held.callback(encoder.close)
        try:
            dataset, query = self.engine.settled(
                plan.dataset, plan.query, self.cancellation, wkt=plan.format.wkt
            )
            texts = GeoarrowTexts(output_schema(dataset, query), query, is_text=plan.format.wkt)
            chunks = FileChunks(encoder.start(texts.schema), plan.format.joiner)
            parts = self.catalogue.matching(dataset, query)
            rows = texts.of(
                self.engine.batches(
                    dataset, query, self.cancellation, parts, plan.tests, cursors=self.cursors
                )
            )
            with ExitStack() as stages:
                for data in self._staged(stages, _counted(rows, tape), encoder, chunks, compressor):
                    tape.write(data)
        except Exception:
            self._raise_if_changed()
            raise
        self._raise_if_changed()
        for chunk in self._end(chunks, encoder):
            tape.write(compressor.compress(chunk) if compressor else chunk)
        if compressor:
            tape.write(compressor.finish())
        if not tape.size:
            tape.write(plan.filler)

    def _end(self, chunks: FileChunks, encoder: Encoder) -> Iterator[Chunk]:
        """What ends the file; of a layer that is all of it, made now."""
        with self.cancellation.attached(encoder) if isinstance(encoder, Layer) else nullcontext():
            yield from chunks.end(encoder)

    def _staged(
        self,
        stages: ExitStack,
        rows: Generator[pa.RecordBatch],
        encoder: Encoder,
        chunks: FileChunks,
        compressor: Compressor | None,
    ) -> Iterator[Chunk]:
        """What is to be written of the rows; hashing and writing it is the last stage, and the caller's.

        On one core the scan alone has a thread of its own, for it waits for storage.
        """
        stop = self.cancellation.set
        grouped: GroupEncoder[Any] | None = encoder if isinstance(encoder, GroupEncoder) else None
        others = self.threads - 1 and (self.threads if self.plan.format.independent or grouped else 1)
        encoded: Iterator[Chunk]
        if grouped:
            groups = _groups(grouped, rows)
            waiting = stages.enter_context(stage(groups, _same, stop, workers=1, room=ROWS_AHEAD))
            written = stages.enter_context(
                stage(waiting, grouped.encode_group, stop, workers=others, room=GROUPS_AHEAD)
            )
            encoded = map(grouped.join, written)
        else:
            batches = stages.enter_context(stage(rows, _same, stop, workers=1, room=ROWS_AHEAD))
            encoded = stages.enter_context(
                stage(batches, encoder.encode, stop, workers=others, room=CHUNKS_AHEAD)
            )
        body = chunks.of(encoded)
        if compressor is None:
            return body
        coders = min(1, others)
        return stages.enter_context(stage(body, compressor.compress, stop, workers=coders, room=CHUNKS_AHEAD))

    def _raise_if_changed(self) -> None:
        if not self.catalogue.is_current(self.plan.dataset):
            raise DatasetChanged(
                f"Dataset {self.plan.dataset.name!r} was replaced while it was read; try again."
            )


def _counted(batches: Generator[pa.RecordBatch], tape: Tape) -> Generator[pa.RecordBatch]:
    """The batches that have rows, which are the tape's from now on."""
    with closing(batches):
        for batch in batches:
            if batch.num_rows:
                tape.rows += batch.num_rows
                yield batch


def _groups(encoder: GroupEncoder[Group], batches: Generator[pa.RecordBatch]) -> Generator[Group]:
    with closing(batches):
        yield from encoder.groups(batches)


def _same(rows: Rows) -> Rows:
    """Nothing is to be done but to read ahead."""
    return rows
