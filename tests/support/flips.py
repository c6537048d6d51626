"""Files in which a bit was changed, in place."""

from pathlib import Path

import pyarrow.parquet as pq


def flip(path: Path, column: int, group: int = -1) -> None:
    """Change a bit in the middle of a column's data pages, in the last row group by default."""
    metadata = pq.read_metadata(path)
    chunk = metadata.row_group(group % metadata.num_row_groups).column(column)
    start = chunk.data_page_offset
    end = min(start, chunk.dictionary_page_offset or start) + chunk.total_compressed_size
    place = (start + end) // 2
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
