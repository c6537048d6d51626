"""How a Parquet footer says that its columns are stored.

By Thrift itself: pyarrow ends the process where it is asked for a codec that it does not know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from application.formats.thrift import Malformed, read_struct

CODECS = ("none", "snappy", "gzip", "LZO", "brotli", "LZ4", "zstd", "LZ4_RAW")
BYTE_STREAM_SPLIT = 9
FLOATS = (4, 5)
# In a footer: row_groups, encryption_algorithm; then columns; then meta_data, crypto_metadata.
ROW_GROUPS, ENCRYPTION, COLUMNS, META_DATA, CRYPTO = 4, 8, 1, 3, 8
# In meta_data: type, encodings, path_in_schema, codec.
TYPE, ENCODINGS, PATH, CODEC = 1, 2, 3, 4
# In crypto_metadata: ENCRYPTION_WITH_COLUMN_KEY, and in it path_in_schema.
COLUMN_KEY, KEY_PATH = 2, 1


@dataclass(frozen=True, slots=True)
class Coding:
    """That of one column chunk: its top column's name, its codec by Parquet's number, and what is unusual.

    ``is_split``: it has bytes of other than floats in streams of their own, as Parquet allows since 2.11.
    """

    column: str
    codec: int
    is_split: bool
    is_encrypted: bool

    @property
    def codec_name(self) -> str:
        """The codec as Parquet names it."""
        return CODECS[self.codec] if 0 <= self.codec < len(CODECS) else f"codec {self.codec}"


def codings(footer: bytes) -> list[Coding]:
    """Every column chunk's, of a footer without its length and magic; none where it cannot be read."""
    try:
        return list(_codings(read_struct(footer)[0]))
    except (Malformed, AttributeError, LookupError, TypeError, ValueError):
        return []


def _codings(metadata: dict[int, Any]) -> Iterator[Coding]:
    for group in metadata[ROW_GROUPS]:
        for chunk in group[COLUMNS]:
            own, crypto = chunk.get(META_DATA), chunk.get(CRYPTO)
            path = own[PATH] if own else crypto[COLUMN_KEY][KEY_PATH]
            is_split = bool(own) and BYTE_STREAM_SPLIT in own[ENCODINGS] and own[TYPE] not in FLOATS
            codec = own[CODEC] if own else 0
            yield Coding(path[0].decode(), codec, is_split, ENCRYPTION in metadata and crypto is not None)
