"""What a GeoPackage says of its data: in its own tables for that, once GDAL has written it."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC
from pathlib import Path

from application.about import About

# As the standard has them (OGC 12-128r18, annexes F.8 and N).
TABLES = """
CREATE TABLE gpkg_metadata (
  id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL, md_scope TEXT NOT NULL DEFAULT 'dataset',
  md_standard_uri TEXT NOT NULL, mime_type TEXT NOT NULL DEFAULT 'text/xml', metadata TEXT NOT NULL DEFAULT ''
);
CREATE TABLE gpkg_metadata_reference (
  reference_scope TEXT NOT NULL, table_name TEXT, column_name TEXT, row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  md_file_id INTEGER NOT NULL, md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
  CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id)
);
"""
EXTENSION = "http://www.geopackage.org/spec121/#extension_metadata"
# Whose terms are the members of what is said.
DUBLIN_CORE = "http://purl.org/dc/terms/"
TERMS = {
    "title": "title",
    "description": "description",
    "license": "licence",
    "rights": "attribution",
    "publisher": "publisher",
    "provenance": "query",
    "source": "source",
}
# In the header: the version of the library that wrote last.
VERSION_PLACE, VERSION_BYTES = 96, 4


def describe(path: Path, about: About) -> None:
    """Say in a file of one layer what its data is, and how old; raises sqlite3.Error."""
    if about.last_modified is None:
        return
    changed = f"{about.last_modified.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
    said = {term: value for term, name in TERMS.items() if (value := getattr(about, name))}
    text = json.dumps({**said, "modified": changed}, ensure_ascii=False)
    version = _version(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        # Nobody else has the file, and what is not whole is never given.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(f"BEGIN; {TABLES}")
        for table in ("gpkg_metadata", "gpkg_metadata_reference"):
            database.execute(
                "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_metadata', ?, 'read-write')",
                (table, EXTENSION),
            )
        database.execute(
            "INSERT INTO gpkg_metadata VALUES (1, 'dataset', ?, 'application/json', ?)", (DUBLIN_CORE, text)
        )
        database.execute(
            "INSERT INTO gpkg_metadata_reference "
            "SELECT 'table', table_name, NULL, NULL, ?, 1, NULL FROM gpkg_contents",
            (changed,),
        )
        database.execute("UPDATE gpkg_contents SET last_change = ?", (changed,))
        database.execute("COMMIT")
    # Which library wrote this little is nothing that bytes should depend on.
    _put_version(path, version)


def _version(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(VERSION_PLACE)
        return file.read(VERSION_BYTES)


def _put_version(path: Path, version: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(VERSION_PLACE)
        file.write(version)
