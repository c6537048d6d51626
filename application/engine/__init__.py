"""DuckDB: one locked-down database, a cursor for each scan, rows in the file's own Arrow types."""
