"""Datasets of known rows for the tests over a socket."""

import random
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 20_000


def sample(first: int = 0) -> pa.Table:
    """Six rows of the kinds that planning data has."""
    return pa.table(
        {
            "entity": pa.array(range(first, first + 6), pa.int64()),
            "name": ["one", 'tw"o', "thr,ee", None, "", "é"],
            "organisation-entity": ["org-1", "org-1", "org-2", "org-2", "org-3", None],
            "quality": ["some", "authoritative", "", None, "some", "some"],
        }
    )


def places() -> pa.Table:
    """The same rows, each with a place but for the last."""
    points = [*(f"POINT (-0.{place} 51.{place})" for place in range(5)), None]
    return sample().append_column("point", pa.array(points, pa.string()))


@lru_cache(4)
def large(groups: int = 12, seed: int = 1) -> pa.Table:
    """Rows that compress badly: about 100 bytes each in every text format."""
    rows, dice = groups * GROUP_ROWS, random.Random(seed)
    texts = [f"{dice.getrandbits(320):080x}" for _ in range(rows)]
    return pa.table({"entity": pa.array(range(rows), pa.int64()), "text": texts})


def write(table: pa.Table, path: Path) -> None:
    """Write whole or not at all, as publishers should."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    pq.write_table(table, part, row_group_size=GROUP_ROWS, compression="zstd", use_dictionary=False)
    part.replace(path)


def spoil(path: Path, first_group: int, last_group: int | None = None) -> None:
    """Overwrite the last column's pages in a row group, and what follows, to those of another or the last.

    The footer stays whole.
    """
    metadata = pq.read_metadata(path)
    column = metadata.row_group(first_group).column(metadata.num_columns - 1)
    end_group = metadata.num_row_groups - 1 if last_group is None else last_group
    last = metadata.row_group(end_group).column(metadata.num_columns - 1)
    start, end = column.data_page_offset, last.data_page_offset + last.total_compressed_size
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * (end - start))
