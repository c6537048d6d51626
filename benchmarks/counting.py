"""The rows of a downloaded file, each of them read."""

from collections.abc import Callable
from pathlib import Path


def _csv(path: str) -> int:
    import pyarrow.csv

    parsed = pyarrow.csv.ParseOptions(newlines_in_values=True)
    large = pyarrow.csv.ReadOptions(block_size=8 << 20)
    with pyarrow.csv.open_csv(path, read_options=large, parse_options=parsed) as reader:
        return sum(batch.num_rows for batch in reader)


def _json(path: str) -> int:
    """One array, a row a line; by lines, for the whole as Python objects would take gigabytes."""
    import orjson

    rows, line, end = 0, b"", b""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file):
            if not number and not line.startswith(b"["):
                raise ValueError(f"{path} is not an array")
            end = b"," if line.endswith(b",\n") else b"]"
            rows += isinstance(orjson.loads(line.strip().removeprefix(b"[").removesuffix(end)), dict)
    if end != b"]" or not line.endswith(b"]"):
        raise ValueError(f"{path} does not end")
    return rows


def _ndjson(path: str) -> int:
    import orjson

    with Path(path).open("rb") as file:
        return sum(isinstance(orjson.loads(line), dict) for line in file)


def _parquet(path: str) -> int:
    import pyarrow.parquet as pq

    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches())


COUNTS: dict[str, Callable[[str], int]] = {
    "csv": _csv,
    "json": _json,
    "ndjson": _ndjson,
    "parquet": _parquet,
}
