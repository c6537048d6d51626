"""Some rows of a query, from here and there, or all where they are few: read in bounded time."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace

import pyarrow as pa

from application.datasets.catalogue import Catalogue
from application.datasets.statistics import Extent, Group
from application.downloads.plan import Plan
from application.downloads.within import within
from application.engine.cancellation import Cancellation
from application.engine.conform import output_schema
from application.engine.probe import Probe, has_windows
from application.engine.scan import Engine
from application.errors import DownloadError, ProductionCancelled
from application.formats.geoarrow import GeoarrowTexts
from application.geometry.columns import geoarrow_encoding

SAMPLE_SECONDS = 1.5
# So many rows are all encoded; of more a sample is, up to so many rows or bytes.
ALL_ROWS = 20_000
SAMPLE_ROWS, SAMPLE_BYTES = 32_768, 4 << 20
WINDOW_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a query, or all; ``seen`` are the rows among which they were found."""

    schema: pa.Schema
    batches: tuple[pa.RecordBatch, ...]
    seen: int

    @property
    def rows(self) -> int:
        """How many they are."""
        return sum(batch.num_rows for batch in self.batches)


class Samples:
    """Reads samples; for many threads."""

    def __init__(self, catalogue: Catalogue, engine: Engine, probe: Probe) -> None:
        self._catalogue = catalogue
        self._engine = engine
        self._probe = probe

    def of(self, plan: Plan, rows: int | None, extent: Extent) -> Sample | None:
        """Rows to encode of a plan that has so many, if that is known; None where it takes too long."""
        with within(SAMPLE_SECONDS) as cancellation, suppress(DownloadError):
            # Which rows come first is much work, and nothing to the bytes of all.
            loose = plan.query if plan.query.limit is not None else replace(plan.query, order=())
            dataset, query = self._engine.settled(plan.dataset, loose, cancellation, wkt=plan.format.wkt)
            texts = GeoarrowTexts(output_schema(dataset, query), query, is_text=plan.format.wkt)
            is_few = rows is not None and rows <= ALL_ROWS
            if is_few or query.areas or not has_windows(dataset, query):
                return self._first(replace(plan, dataset=dataset, query=query), cancellation, texts)
            by_path = {part.meta.path: part for part in dataset.parts}
            found: list[pa.RecordBatch] = []
            seen = 0
            with suppress(ProductionCancelled):
                for group in _spread(extent.groups):
                    part = by_path[group.part.meta.path]
                    there = self._probe.rows(dataset, query, cancellation, part, (group.start, group.end))
                    found += map(texts.batch, there)
                    seen += group.end - group.start
                    if _is_enough(found):
                        break
            return Sample(texts.schema, tuple(found), seen)
        return None

    def _first(self, plan: Plan, cancellation: Cancellation, texts: GeoarrowTexts) -> Sample:
        dataset, query = plan.dataset, plan.query
        few = replace(query, limit=min(ALL_ROWS, ALL_ROWS if query.limit is None else query.limit))
        parts = self._catalogue.matching(dataset, query)
        found: list[pa.RecordBatch] = []
        with closing(self._engine.batches(dataset, few, cancellation, parts, plan.tests)) as batches:
            for batch in batches:
                found.append(texts.batch(batch))
                if _is_enough(found):
                    break
        return Sample(texts.schema, tuple(found), 0)


def read_as(plan: Plan) -> str:
    """What decides the rows that an encoder is given: equal for formats that are written of the same ones."""
    is_told = any(column.traits.geometry or geoarrow_encoding(column.field) for column in plan.query.columns)
    return repr((replace(plan.query, dialect=None).identity(), is_told and plan.format.wkt, plan.query.shape))


def _is_enough(batches: Sequence[pa.RecordBatch]) -> bool:
    rows = sum(batch.num_rows for batch in batches)
    return rows >= SAMPLE_ROWS or sum(batch.nbytes for batch in batches) >= SAMPLE_BYTES


def _spread(groups: Sequence[Group]) -> Iterator[Group]:
    """Windows of row groups, each next one far from those before it."""
    windows = [
        Group(group.part, start, min(start + WINDOW_ROWS, group.end))
        for group in groups
        for start in range(group.start, group.end, WINDOW_ROWS)
    ]
    bits = max(len(windows) - 1, 0).bit_length()
    order = sorted(range(len(windows)), key=lambda place: int(f"{place:0{bits or 1}b}"[::-1], 2))
    return (windows[place] for place in order)
