"""A locked-down database with GDAL in it, which writes one file of rows and is gone."""

import os
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from application.engine.database import extension_file, literal
from application.formats.workplace import MEMORY_BYTES

# GDAL would write the time of day into each file.
CURRENT_DATE = ("OGR_CURRENT_DATE", "2000-01-01T00:00:00.000Z")


class SpatialDatabase:
    """Runs one statement over rows in a stream of Arrow, until it is interrupted from any thread."""

    def __init__(self) -> None:
        self._database: duckdb.DuckDBPyConnection | None = None
        self._is_interrupted = False

    def run(self, sql: str, rows: Path, folder: Path) -> None:
        """Run SQL that finds the rows of a file under the name `rows`, and may write into the folder alone.

        Raises DuckDB's errors, Arrow's and the system's; does nothing once it is interrupted.
        """
        os.environ[CURRENT_DATE[0]] = CURRENT_DATE[1]
        database = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{MEMORY_BYTES >> 20}MiB",
                # Rows in their order.
                "threads": 1,
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
                "allow_persistent_secrets": False,
            },
        )
        with database, pa.OSFile(rows.as_posix()) as file:
            database.execute(f"LOAD {literal(str(extension_file('spatial')))}")
            database.execute(f"SET allowed_directories = [{literal(f'{folder}/')}]")
            database.execute("SET enable_progress_bar = false")
            database.execute("SET enable_external_access = false")
            database.execute("SET lock_configuration = true")
            database.register("rows", pa.ipc.open_stream(file))
            self._database = database
            if not self._is_interrupted:
                database.execute(sql)

    def interrupt(self) -> None:
        """Stop what runs, and let nothing begin."""
        self._is_interrupted = True
        if self._database:
            # It may have ended, and be closed, just now.
            with suppress(duckdb.ConnectionException):
                self._database.interrupt()
