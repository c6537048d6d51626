"""DuckDB: locked-down databases, opened at first use and replaced when a bad file has spoiled one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from application.engine.connections import StorageConnections
from application.errors import Busy, EngineFailed, ResultTooLarge, StorageUnavailable
from application.storage.base import REQUEST_SECONDS, EngineAccess, Storage
from application.telemetry import logger

# These make the database refuse every later query (docs/architecture.md).
FATAL = (duckdb.FatalException, duckdb.InternalException)
# Past some thousand rows reading each column once costs less (docs/performance.md).
MOST_LATE_ROWS = 1000
OUT_OF_MEMORY = (
    "These rows need more memory than the engine may use; choose columns with field=NAME, or leave the "
    "largest out with exclude_field=NAME."
)


class Unexplained(EngineFailed):
    """The engine failed over a dataset; its cause says how, and not yet whose fault it was."""


class Database:
    """Gives cursors that can read one storage and nothing else.

    Those of queries that one thread answers are of a database that has no other threads: a caller waits for
    the engine's threads by asking again and again, with Python's lock each time, for a core and more.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        memory_limit: str,
        threads: int,
        temp_directory: Path | None,
        temp_limit: str,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._storage = storage
        self._temp_directory = temp_directory
        self._threads = threads
        self._config: dict[str, Any] = {
            "memory_limit": memory_limit,
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
            # A sort with a limit finds its rows by what it looks at, then reads their other columns.
            "late_materialization_max_rows": MOST_LATE_ROWS,
        }
        self._lock = threading.Lock()
        # By how many threads they have.
        self._databases: dict[int, duckdb.DuckDBPyConnection] = {}
        self._secrets: dict[int, object] = {}
        self._queries = 0
        self._request_seconds = request_seconds
        self._connections: StorageConnections | None = None
        self.replacements = 0  # of spoiled databases, for the metrics

    def close(self) -> None:
        """Close what is open; the next use opens another."""
        with self._lock:
            databases, self._databases = self._databases, {}
        self.give_up()
        for database in databases.values():
            database.close()

    def give_up(self) -> None:
        """Have what waits for storage fail: it hears nothing else."""
        with self._lock:
            connections, self._connections = self._connections, None
        if connections:
            connections.cut()

    @contextmanager
    def cursor(self, *, alone: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own, with the engine's errors made ours; a spoiled database is replaced.

        ``alone``: the caller's thread is all that its queries have.
        """
        threads = 1 if alone else self._threads
        try:
            database, connections = self._open(threads)
            cursor = database.cursor()
        except duckdb.Error as error:
            # Forgotten, not closed: closing it would break the other downloads' cursors.
            with self._lock:
                self._databases.pop(threads, None)
            raise EngineFailed("The engine failed; the next request gets a new one.") from error
        given_up = connections.given_up
        try:
            with connections.watched():
                yield cursor
        except FATAL as error:
            self._discard(database)
            raise Unexplained("The engine failed on this dataset.") from error
        except duckdb.OutOfMemoryException as error:
            raise ResultTooLarge(OUT_OF_MEMORY) from error
        except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError) as error:
            # A reader raises Arrow's errors for DuckDB's; only its text tells a spoiled database.
            if "Out of Memory Error" in str(error):
                raise ResultTooLarge(OUT_OF_MEMORY) from error
            if "invalidated" in str(error) or "INTERNAL Error" in str(error):
                self._discard(database)
            if connections.given_up > given_up:
                raise StorageUnavailable("The dataset's storage did not answer.") from error
            raise Unexplained("The engine failed while it read the dataset.") from error
        finally:
            cursor.close()

    def _open(self, threads: int) -> tuple[duckdb.DuckDBPyConnection, StorageConnections]:
        with self._lock:
            access = self._storage.engine_access()
            database = self._databases.get(threads)
            if database is None:
                database = self._databases[threads] = self._locked_down(access, threads)
                self._secrets[threads] = None
            if access.secret != self._secrets[threads]:
                _set_secret(database, access.secret)
                self._secrets[threads] = access.secret
            if self._connections is None:
                self._connections = StorageConnections(access, self._request_seconds)
            return database, self._connections

    def _locked_down(self, access: EngineAccess, threads: int) -> duckdb.DuckDBPyConnection:
        """A database that can read the storage's root and nothing else, and cannot be told otherwise."""
        config = self._config | {"threads": threads}
        if self._temp_directory:
            # Two databases that shared a folder would write over each other's files.
            config["temp_directory"] = str(self._temp_directory / f"duckdb-spill-{uuid4().hex}")
        database = duckdb.connect(":memory:", config=config)
        # For all sessions: each cursor is one of its own, which a plain SET does not reach.
        database.execute("SET GLOBAL TimeZone = 'UTC'")
        database.execute("SET GLOBAL enable_geoparquet_conversion = false")
        # It would hold 54 MB and, for a file written twice within a tick of the clock, old bytes.
        database.execute("SET GLOBAL enable_external_file_cache = false")
        if access.extension:
            database.execute(f"LOAD {literal(str(extension_file(access.extension)))}")
        for name, value in access.settings:
            database.execute(f"SET GLOBAL {name} = {value}")
        database.execute(f"SET allowed_directories = [{literal(access.root)}]")
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        return database

    @contextmanager
    def query(self) -> Iterator[None]:
        """While it lasts, a query runs, by however many cursors; raises Busy where others have the memory."""
        with self._lock:
            self._queries += 1
        try:
            yield
        except ResultTooLarge as error:
            # What is too large for the engine alone can never be read; beside others it may be, later.
            if self._queries == 1:
                raise
            raise Busy("The engine's memory is in use by other downloads; try again later.") from error
        finally:
            with self._lock:
                self._queries -= 1

    def _discard(self, database: duckdb.DuckDBPyConnection) -> None:
        """Forget a spoiled database; downloads that run on it end by its own errors."""
        with self._lock:
            left = {key: kept for key, kept in self._databases.items() if kept is not database}
            if len(left) < len(self._databases):
                self._databases = left
                self.replacements += 1
                logger.error("Engine: the database was spoiled and is replaced")


def _set_secret(database: duckdb.DuckDBPyConnection, secret: Any) -> None:
    options = {
        "KEY_ID": secret.key,
        "SECRET": secret.secret,
        "SESSION_TOKEN": secret.token or "",
        "REGION": secret.region,
        "ENDPOINT": secret.endpoint or "",
        "URL_STYLE": secret.url_style,
    }
    given = ", ".join(f"{name} {literal(value)}" for name, value in options.items() if value)
    database.execute(
        f"CREATE OR REPLACE SECRET storage (TYPE s3, {given}, USE_SSL {str(secret.use_ssl).lower()})"
    )


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def extension_file(name: str) -> Path:
    """The extension's file inside its wheel; nothing is downloaded or installed."""
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise EngineFailed(f"The wheel duckdb-extension-{name} is not installed.")
    return Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
