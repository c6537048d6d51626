"""DuckDB: one locked-down database, a cursor for each scan, rows in the file's own Arrow types."""

# Its version is in the ETag of every result.
DISTRIBUTION = "duckdb"
