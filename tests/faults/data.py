"""What the campaign serves: rows that tell their version, and what a body says of them."""

import io
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from application.formats import FORMATS
from application.formats.compression import CODINGS, IDENTITY

# Some megabytes in every format: more than is whole before its headers, and soon compared.
GROUPS, GROUP_ROWS = 12, 2_000
ROWS = GROUPS * GROUP_ROWS
COLUMNS = ["entity", "version", "text", "geometry", "spare"]
# Text in pieces, with something between them, and by lines; row groups side by side.
MADE_IN_A_WAY_OF_ITS_OWN = ("csv", "json", "ndjson", "parquet")
MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to ask for all rows: a format, a coding, and whether it is the stored object itself."""

    extension: str
    coding: str
    native: bool = False

    def path(self, dataset: str) -> str:
        """The path of a dataset's download; what is made leaves a column out."""
        return f"/{dataset}.{self.extension}{'' if self.native else '?exclude_field=spare'}"

    def __str__(self) -> str:
        return f"{self.name}-{self.coding}".replace(", ", "-")

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.extension}, stored" if self.native else self.extension


# Of codings every one, from their table: a new one joins by itself.
KINDS = [
    *(
        Kind(row.extension, coding)
        for row in FORMATS.values()
        for coding in (IDENTITY, *CODINGS)
        if row.extension in MADE_IN_A_WAY_OF_ITS_OWN and (row.codable or coding == IDENTITY)
    ),
    *(Kind(row.extension, IDENTITY, native=True) for row in FORMATS.values() if row.native),
]


def text_of(version: int, entity: int) -> str:
    """What a row of a version says: badly compressible, and known without any engine."""
    return "".join(sha256(f"{version} {entity} {part}".encode()).hexdigest() for part in range(4))


def make(version: int) -> pa.Table:
    """All rows of a version."""
    return pa.table(
        {
            "entity": pa.array(range(ROWS), pa.int64()),
            "version": pa.array([version] * ROWS, pa.int64()),
            "text": [text_of(version, entity) for entity in range(ROWS)],
            "geometry": [f"POINT ({entity % 180} {entity % 90})" for entity in range(ROWS)],
            "spare": ["spare"] * ROWS,
        }
    )


class Library:
    """Files of each version, written once, and put in place by a rename or a copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def file(self, version: int) -> Path:
        """The file of a version."""
        path = self._folder / f"{version}.parquet"
        if not path.exists():
            part = path.with_suffix(".part")
            pq.write_table(make(version), part, row_group_size=GROUP_ROWS, compression="zstd")
            part.replace(path)
        return path

    def put(self, version: int, path: Path) -> None:
        """Have a version at a path, whole or not at all, younger than what was there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(self.file(version).read_bytes())
        if path.exists():
            later = path.stat().st_mtime + 2
            os.utime(part, (later, later))
        part.replace(path)


def undo(body: bytes, coding: str) -> bytes:
    """A body without its coding, where the client has left it; a torn one is an error."""
    if not body.startswith(MAGIC.get(coding, b"\0none")):
        return body
    if coding == "gzip":
        stream = zlib.decompressobj(31)
        data = stream.decompress(body) + stream.flush()
        assert stream.eof, "a torn gzip body"
        return data
    reader = zstandard.ZstdDecompressor().decompressobj()
    data = reader.decompress(body)
    assert reader.eof, "a torn zstd body"
    return data


def _parse_json(body: bytes) -> pa.Table:
    return pa.Table.from_pylist(json.loads(body))


def _parse_lines(body: bytes) -> pa.Table:
    assert body.endswith(b"\n")
    return pa.Table.from_pylist([json.loads(line) for line in body.splitlines()])


# None of them is what the service reads or writes with, but for Parquet's.
PARSERS: dict[str, Callable[[bytes], pa.Table]] = {
    "csv": lambda body: pa.Table.from_pandas(pd.read_csv(io.BytesIO(body)), preserve_index=False),
    "json": _parse_json,
    "ndjson": _parse_lines,
    "parquet": lambda body: pq.read_table(io.BytesIO(body)),
}


def version_of(rows: pa.Table) -> int:
    """The version of which these are all rows, each as it should be; an AssertionError for anything else."""
    assert rows.num_rows == ROWS, f"{rows.num_rows} rows of {ROWS}"
    versions = set(rows["version"].to_pylist())
    assert len(versions) == 1, f"rows of the versions {versions}"
    (version,) = versions
    assert rows["entity"].to_pylist() == list(range(ROWS)), "other entities, or another order"
    texts = rows["text"].to_pylist()
    wrong = [entity for entity in range(0, ROWS, 7) if texts[entity] != text_of(version, entity)]
    assert not wrong, f"wrong text in the rows {wrong[:5]}"
    return int(version)
