"""How well-known readers take some columns of a Parquet file by its URL; for tests and benchmarks."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa

Reader = Callable[[str, Sequence[str]], pa.Table]


def extension_file(name: str) -> Path:
    """DuckDB's extension of that name, from its wheel."""
    spec = find_spec(f"duckdb_extension_{name}")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"


def httpfs() -> Path:
    """DuckDB's extension for HTTP, from its wheel."""
    return extension_file("httpfs")


def by_duckdb(url: str, columns: Sequence[str]) -> pa.Table:
    """Read with DuckDB's httpfs, from its wheel."""
    with duckdb.connect() as database:
        database.execute(f"LOAD '{httpfs()}'")
        names = ", ".join(f'"{name}"' for name in columns)
        return database.execute(f"SELECT {names} FROM read_parquet('{url}')").to_arrow_table()


def by_pandas(url: str, columns: Sequence[str]) -> pa.Table:
    """Read with pandas over fsspec, as its documentation has it for remote files."""
    import fsspec
    import pandas as pd

    with fsspec.filesystem("http", skip_instance_cache=True).open(url, block_size=1 << 16) as file:
        frame = pd.read_parquet(file, columns=list(columns), engine="pyarrow")
    return pa.Table.from_pandas(frame, preserve_index=False)


def by_pyarrow(url: str, columns: Sequence[str]) -> pa.Table:
    """Read with pyarrow over fsspec."""
    import fsspec
    import pyarrow.parquet as pq

    with fsspec.filesystem("http", skip_instance_cache=True).open(url, block_size=1 << 16) as file:
        return pq.read_table(file, columns=list(columns))


READERS: dict[str, Reader] = {"duckdb": by_duckdb, "pandas": by_pandas, "pyarrow": by_pyarrow}
