"""FlatGeobuf and GeoPackage, which GDAL writes: by a database for each file, in a folder of its own."""

import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from application.about import About
from application.engine.database import OUT_OF_MEMORY, literal
from application.engine.folders import FULL, ROWS, RoomyFile, WorkFolder, watched
from application.engine.geopackage import describe
from application.engine.spatial import SpatialDatabase
from application.errors import EngineFailed, ResultTooLarge, SpoolFull
from application.formats.base import Chunk
from application.formats.features import FeatureReader
from application.formats.groups import Groups
from application.formats.layer import Seen, values
from application.formats.scalars import is_string
from application.formats.words import NOTHING, key_values
from application.formats.workplace import NOWHERE, Workplace
from application.geometry.systems import well_known_text
from application.geometry.writing import as_wkb, extended
from application.models import Shape
from application.query.sql import quote

GROUP_ROWS = 2048
GROUP_BYTES = 4 << 20
PIECE_BYTES = 8 << 20
# What GDAL and SQLite say of a full disk or quota.
FULL_WORDS = ("No space left", "disk is full", "quota exceeded")


class LayerEncoder:
    """Writes one layer: rows go into a file of Arrow, from which GDAL makes the whole at the end."""

    is_flat = False
    driver = ""
    extension = ""

    def __init__(self, shape: Shape, about: About = NOTHING, workplace: Workplace = NOWHERE) -> None:
        self._shape = shape
        self._about = about
        self._name = shape.geometry.column
        self._crs = shape.crs or shape.geometry.crs
        self._workplace = workplace
        self._seen = Seen()
        self._groups = Groups(GROUP_ROWS, GROUP_BYTES)
        self._least = 0  # bytes that the file of the rows so far has
        self._database = SpatialDatabase()
        self._writer: Any = None
        self._forget: Any = None

    def start(self, schema: pa.Schema) -> Chunk:
        self._reader = FeatureReader(self._shape, schema, self._crs, is_flat=self.is_flat)
        work = self._work = WorkFolder(self._workplace.folder)
        self._folder = work.path
        # However it ends, and whoever forgets it.
        self._forget = weakref.finalize(self, work.close)
        names = self._reader.schema.names
        empty = zip(self._reader.schema.types, names, strict=True)
        own = [values(pa.nulls(0, kind), name).type for kind, name in empty]
        fields = [pa.field(name, kind) for name, kind in zip(names, own, strict=True)]
        self._schema = pa.schema([*fields, pa.field(self._name, pa.binary())])
        self._rows = self._folder / ROWS
        self._file = RoomyFile(self._rows, self._workplace.make_room)
        self._writer = pa.ipc.new_stream(self._file, self._schema)
        return b""

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        geometries, properties = self._reader.read(batch)
        columns = [
            values(column, name)
            for column, name in zip(properties.columns, properties.schema.names, strict=True)
        ]
        for column, name in zip(columns, properties.schema.names, strict=True):
            self._seen.look(column, name)
        self._seen.is_extended &= bool(extended(geometries).all())
        made = pa.RecordBatch.from_arrays([*columns, as_wkb(geometries)], schema=self._schema)
        self._keep(self._groups.add(made))
        return b""

    def finish(self) -> Chunk:
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Make the file, and give it piece by piece."""
        self._keep(self._groups.rest())
        path = self._folder / f"{self._about.dataset or 'layer'}.{self.extension}"
        try:
            self._end_rows()
            with watched(self._work, self._workplace, self.interrupt) as check:
                try:
                    self._database.run(self._sql(path), self._rows, self._folder)
                    self._describe(path)
                finally:
                    # Why it was stopped, if it was, rather than that it was.
                    check()
            file = path.open("rb")
        except (duckdb.Error, sqlite3.Error, OSError, pa.ArrowException) as error:
            raise _told(error) from error
        with file:
            # It is there as long as it is open.
            self.close()
            while data := file.read(PIECE_BYTES):
                yield data

    def close(self) -> None:
        """Remove the folder."""
        with suppress(OSError, pa.ArrowException):
            self._end_rows()
        if self._forget:
            self._forget()

    def _end_rows(self) -> None:
        if self._writer:
            # Whatever becomes of its end: without it there is no file.
            writer, self._writer = self._writer, None
            try:
                writer.close()
            finally:
                self._file.close()

    def interrupt(self) -> None:
        """Stop what is being written, from any thread."""
        self._database.interrupt()

    def _keep(self, groups: Iterable[pa.Table]) -> None:
        """Write groups of rows for GDAL, whose bytes depend on where they end."""
        try:
            for group in groups:
                self._writer.write_table(group)
                self._least += _least(group)
                self._workplace.report(self._least, self._work.size)
        except OSError as error:
            raise _told(error) from error

    def _sql(self, path: Path) -> str:
        shown = [self._shown(name) for name in self._schema.names[:-1]]
        geometry = quote(self._name)
        shown.append(f"ST_GeomFromWKB({geometry}) AS {quote(self._free('geom'))}")
        options = ", ".join(literal(option) for option in self._options())
        crs = f", SRS {literal(well_known_text(self._crs))}" if self._crs else ""
        return (
            f"COPY (SELECT {', '.join(shown)} FROM rows) TO {literal(str(path))} (FORMAT GDAL, "
            f"DRIVER {literal(self.driver)}, LAYER_CREATION_OPTIONS ({options}){crs})"
        )

    def _shown(self, name: str) -> str:
        is_text = name in self._seen.odd_days or (name in self._seen.not_numbers and not self.is_flat)
        return f"CAST({quote(name)} AS VARCHAR) AS {quote(name)}" if is_text else quote(name)

    def _describe(self, path: Path) -> None:
        """Say in the file what it is, where GDAL has no way to."""

    def _options(self) -> list[str]:
        said = {key.decode(): value.decode() for key, value in key_values(self._about).items()}
        words = "\n".join(f"{key}: {value}" for key, value in said.items())
        return [f"DESCRIPTION={words}"] if words else []

    def _free(self, name: str) -> str:
        """A name like this that no column has, whatever its case."""
        taken = {known.lower() for known in self._schema.names[:-1]}
        while name in taken:
            name += "_"
        return name


class FlatgeobufEncoder(LayerEncoder):
    """FlatGeobuf, with its index where each row has a geometry and no order was asked for.

    The index puts rows in an order of its own, and refuses what has no extent. Heights are left to the text.
    """

    is_flat = True
    driver = "FlatGeobuf"
    extension = "fgb"

    def _options(self) -> list[str]:
        has_index = self._seen.is_extended and not self._shape.ordered
        return [f"SPATIAL_INDEX={'YES' if has_index else 'NO'}", *super()._options()]


class GeopackageEncoder(LayerEncoder):
    """GeoPackage, with one layer."""

    driver = "GPKG"
    extension = "gpkg"

    def _describe(self, path: Path) -> None:
        describe(path, self._about)

    def _options(self) -> list[str]:
        return [f"GEOMETRY_NAME={self._free('geom')}", f"FID={self._free('fid')}", *super()._options()]


def _least(group: pa.Table) -> int:
    """The fewest bytes that GDAL makes of rows: text as it is, and two of a place's three coordinates."""
    *texts, places = (_bytes(column) for column in group.columns)
    return sum(texts) + places // 2


def _bytes(column: pa.ChunkedArray) -> int:
    """The bytes of text or WKB; 0 of numbers, which GDAL may write in few."""
    is_counted = is_string(column.type) or pa.types.is_binary(column.type)
    return (pc.sum(pc.binary_length(column)).as_py() or 0) if is_counted else 0


def _told(error: Any) -> Exception:
    if getattr(error, "errno", None) in FULL or any(words in str(error) for words in FULL_WORDS):
        return SpoolFull("The disk of this service is full; try again later.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return ResultTooLarge(OUT_OF_MEMORY)
    return EngineFailed("The file could not be written.")
