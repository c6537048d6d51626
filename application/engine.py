"""DuckDB: one locked-down database, a cursor per download, batches in the file's own Arrow schema."""

import re
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from application.arrow import bounded, conform, holds_exactly, output_schema
from application.cancellation import Cancellation
from application.errors import (
    DatasetInvalid,
    EngineFailed,
    ProductionCancelled,
    StorageUnavailable,
)
from application.exact import ExactColumns
from application.models import Column, Dataset, ObjectMeta, Query
from application.query import to_sql
from application.storage.base import Storage
from application.telemetry import logger

VECTOR_ROWS = 2048
BATCH_BYTES = 4 << 20
MOST_BATCH_ROWS = 16 * VECTOR_ROWS
WILDCARD = re.compile(r"[*?\[]")
# These make the database refuse every later query (FACTS: one bad file can kill the database).
FATAL = (duckdb.FatalException, duckdb.InternalException)


class Engine:
    """Runs queries over a storage's Parquet objects; opened at first use, replaced when it breaks."""

    def __init__(
        self,
        storage: Storage,
        *,
        memory_limit: str,
        threads: int,
        temp_directory: Path | None,
        temp_limit: str,
    ) -> None:
        self._storage = storage
        self._temp_directory = temp_directory
        self._config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": "",
            "max_temp_directory_size": temp_limit,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            # Nobody's ~/.duckdb: the locked database may not look there, and its secrets are not ours.
            "allow_persistent_secrets": False,
            "arrow_lossless_conversion": True,
            "arrow_large_buffer_size": False,
            # Gives memory back after a scan: without it DuckDB's allocator kept up to 240 MB.
            "allocator_background_threads": True,
        }
        self._lock = threading.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None
        self._secret: object = None
        self.replacements = 0  # of spoiled databases, for the metrics

    def describe(self, objects: Sequence[ObjectMeta], schema: pa.Schema) -> tuple[Column, ...]:
        """The columns as the engine sees them, joined by position with the file's own Arrow schema.

        By position, for DuckDB renames columns that are alike but for case (`a`, `A` → `a`, `A_1`).
        """
        with self._cursor() as cursor:
            cursor.execute(f"DESCRIBE SELECT * FROM {self._relation(objects)}")
            described = [(str(row[0]), str(row[1])) for row in cursor.fetchall()]
            if len(described) != len(schema) or not described:
                raise DatasetInvalid("The dataset has columns that the engine cannot read.")
            own = [
                # Arrow has no VARIANT: its JSON text is what the text formats write of it.
                field.with_type(pa.json_()) if kind == "VARIANT" else field
                for field, (_, kind) in zip(schema, described, strict=True)
            ]
            columns = tuple(
                Column(field.name, name, kind, field)
                for field, (name, kind) in zip(own, described, strict=True)
            )
            sql, _ = to_sql(Query(columns), self._relation(objects))
            seen = cursor.execute(f"{sql} LIMIT 0").to_arrow_reader().schema
        return tuple(
            Column(
                item.name,
                item.engine_name,
                item.engine_type,
                item.field,
                holds_exactly(kind, item.field.type),
            )
            for item, kind in zip(columns, seen.types, strict=True)
        )

    def batches(
        self, dataset: Dataset, query: Query, cancellation: Cancellation
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, in the file's order and its own Arrow schema, each batch bounded by bytes.

        Close the generator to free the cursor. Raises ProductionCancelled, EngineFailed,
        StorageUnavailable or DatasetInvalid.
        """
        again = [place for place, column in enumerate(query.columns) if not column.exact]
        sql, values = to_sql(query, self._relation(dataset.objects), places=bool(again))
        rows = (
            max(1, min(MOST_BATCH_ROWS, BATCH_BYTES // max(dataset.row_bytes, 1)) // VECTOR_ROWS)
            * VECTOR_ROWS
        )
        schema = output_schema(dataset, query)
        try:
            with (
                self._cursor() as cursor,
                cancellation.attached(cursor),
                closing(
                    ExactColumns(self._storage, dataset, [query.columns[place].name for place in again])
                ) as exact,
            ):
                for batch in cursor.execute(sql, values).to_arrow_reader(rows):
                    whole = exact.replace(batch, again) if again else batch
                    yield from bounded(conform(whole, schema), BATCH_BYTES)
        except EngineFailed as error:
            if cancellation.is_set:
                raise ProductionCancelled("The download was cancelled.") from error
            raise

    def check(self) -> None:
        """Answer one trivial query, or raise EngineFailed."""
        with self._cursor() as cursor:
            cursor.execute("SELECT 1").fetchall()

    def close(self) -> None:
        """Close the database; the next use opens another."""
        with self._lock:
            database, self._database = self._database, None
        if database:
            database.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own, with the engine's errors made ours; a spoiled database is replaced."""
        try:
            database = self._open()
            cursor = database.cursor()
        except duckdb.Error as error:
            # Forgotten, not closed: closing it would break the other downloads' cursors.
            with self._lock:
                self._database = None
            raise EngineFailed("The engine failed; the next request gets a new one.") from error
        try:
            yield cursor
        except FATAL as error:
            self._discard(database)
            raise EngineFailed("The engine failed on this dataset.") from error
        except (duckdb.HTTPException, duckdb.IOException) as error:
            raise StorageUnavailable("The dataset's storage did not answer.") from error
        except duckdb.OutOfMemoryException as error:
            raise EngineFailed("The query needs more memory than the engine may use.") from error
        except duckdb.InvalidInputException as error:
            raise DatasetInvalid("The engine cannot read the dataset's data.") from error
        except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError) as error:
            # A reader raises Arrow's errors for DuckDB's; only its text tells a spoiled database.
            if "invalidated" in str(error) or "INTERNAL Error" in str(error):
                self._discard(database)
            raise EngineFailed("The engine failed while it read the dataset.") from error
        finally:
            cursor.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._database is None:
                self._database = self._locked_down()
            if (secret := self._storage.secret()) != self._secret:
                self._set_secret(self._database, secret)
            return self._database

    def _locked_down(self) -> duckdb.DuckDBPyConnection:
        """A database that can read the storage's root and nothing else, and cannot be told otherwise."""
        config = dict(self._config)
        if self._temp_directory:
            # Two databases that shared a folder would write over each other's files.
            config["temp_directory"] = str(self._temp_directory / f"duckdb-spill-{uuid4().hex}")
        database = duckdb.connect(":memory:", config=config)
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET enable_geoparquet_conversion = false")
        # It would hold 54 MB and, for a file written twice within a tick of the clock, old bytes.
        database.execute("SET enable_external_file_cache = false")
        if self._storage.secret() is not None:
            database.execute(f"LOAD '{_extension('httpfs')}'")
            # Keys are names, not patterns: without this `*` and `?` in a key mean something else.
            database.execute("SET s3_url_compatibility_mode = true")
        self._secret = None
        database.execute(f"SET allowed_directories = [{_literal(self._storage.allowed())}]")
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        return database

    def _set_secret(self, database: duckdb.DuckDBPyConnection, secret: Any) -> None:
        options = {
            "KEY_ID": secret.key,
            "SECRET": secret.secret,
            "SESSION_TOKEN": secret.token or "",
            "REGION": secret.region,
            "ENDPOINT": secret.endpoint or "",
            "URL_STYLE": secret.url_style,
        }
        given = ", ".join(f"{name} {_literal(value)}" for name, value in options.items() if value)
        database.execute(
            f"CREATE OR REPLACE SECRET storage (TYPE s3, {given}, USE_SSL {str(secret.use_ssl).lower()})"
        )
        self._secret = secret

    def _discard(self, database: duckdb.DuckDBPyConnection) -> None:
        """Forget a spoiled database; downloads that run on it end by its own errors."""
        with self._lock:
            if self._database is database:
                self._database = None
                self.replacements += 1
                logger.error("engine: the database was spoiled and is replaced")

    def _relation(self, objects: Sequence[ObjectMeta]) -> str:
        urls = ", ".join(_literal(self._pattern(meta.path)) for meta in objects)
        return f"read_parquet([{urls}], hive_partitioning = false, union_by_name = false)"

    def _pattern(self, path: str) -> str:
        """The object's URL for read_parquet, to which a file `p[1].parquet` would else be `p1.parquet`."""
        root, url = self._storage.allowed(), self._storage.url(path)
        # A pattern of an escaped root is outside the allowed one; there the name itself is found.
        if url.startswith("s3://") or WILDCARD.search(root):
            return url
        return root + WILDCARD.sub(r"[\g<0>]", path)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _extension(name: str) -> Path:
    """The extension's file inside its wheel; nothing is downloaded or installed."""
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise EngineFailed(f"The wheel duckdb-extension-{name} is not installed.")
    return Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
