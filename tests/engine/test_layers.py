"""Layers in the making: they tell how far they are, others make room, and they end where nobody has them."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from application.engine.folders import ROWS
from application.engine.layers import GROUP_ROWS, FlatgeobufEncoder
from application.errors import ProductionCancelled, SpoolFull
from application.formats import FORMATS, Encoder
from application.formats.workplace import Workplace
from application.geometry import WGS84
from application.models import Geometry, Shape
from tests.support.full_disk import small_disk

TABLE = pa.table(
    {
        "text": [f"row {number}" * 20 for number in range(20_000)],
        "geometry": [f"POINT ({number % 180} {number % 90})" for number in range(20_000)],
    }
)
SHAPE = Shape(Geometry("geometry", "wkt", WGS84), "feature")
DISK = 24 << 20


def opened(extension: str, workplace: Workplace) -> Encoder:
    return FORMATS[extension].open_encoder(shape=SHAPE, workplace=workplace)


def encoded(encoder: Encoder) -> bytes:
    encoder.start(TABLE.schema)
    for batch in TABLE.to_batches(2048):
        encoder.encode(batch)
    return bytes(encoder.finish())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK) as folder:
        yield folder


@pytest.mark.parametrize("extension", ["fgb", "gpkg"])
def test_what_a_layer_has_in_its_folder_is_told_while_it_is_made(extension: str, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def report(size: int, beside: int) -> None:
        told.append((size, beside))

    whole = encoded(opened(extension, Workplace(tmp_path, report=report)))
    # While rows come, group after group, the size is what the file has of them at least.
    text = sum(len(value) for value in TABLE["text"].to_pylist())
    while_rows = told[: -(-len(TABLE) // GROUP_ROWS)]
    rows = [beside for _, beside in while_rows]
    assert rows == sorted(rows)
    assert rows[0] < rows[-1]
    assert text < while_rows[-1][0] < len(whole)
    # Rows and file both, until the file is taken; the rows have an end by then.
    assert told[-1][0] == len(whole)
    assert 0 <= told[-1][1] - len(whole) - rows[-1] < 64


@pytest.mark.parametrize("most", [1 << 20, 4 << 20], ids=["while rows come", "while GDAL writes"])
@pytest.mark.parametrize("extension", ["fgb", "gpkg"])
def test_a_layer_ends_where_nobody_can_have_it(extension: str, most: int, tmp_path: Path) -> None:
    def report(size: int, _: int) -> None:
        if size > most:
            raise ProductionCancelled("nobody")

    encoder = opened(extension, Workplace(tmp_path, report=report))
    with pytest.raises(ProductionCancelled, match="nobody"):
        encoded(encoder)
    encoder.close()  # type: ignore[attr-defined]  # of layers
    assert list(tmp_path.iterdir()) == []


def test_others_make_room_for_a_layer(disk: Path) -> None:
    kept = [disk / f"kept-{number}" for number in range(5)]
    for file in kept:
        file.write_bytes(bytes(4 << 20))

    def make_room() -> bool:
        there = [file for file in kept if file.exists()]
        for file in there[:1]:
            file.unlink()
        return bool(there)

    assert len(encoded(opened("fgb", Workplace(disk, make_room)))) > 4 << 20
    assert len([file for file in kept if file.exists()]) < 5


def test_a_layer_that_has_no_room_is_refused(disk: Path) -> None:
    (disk / "others").write_bytes(bytes(DISK - (2 << 20)))
    encoder = opened("fgb", Workplace(disk))
    with pytest.raises(SpoolFull):
        encoded(encoder)
    assert any(file.name == ROWS for file in disk.rglob("*"))
    encoder.close()  # type: ignore[attr-defined]  # of layers
    assert [file.name for file in disk.iterdir()] == ["others"]


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.ENOSPC, errno.EDQUOT)),
        duckdb.IOException(f"Could not write: {os.strerror(errno.ENOSPC)}"),
        duckdb.IOException(f"Could not write: {os.strerror(errno.EDQUOT)}"),
        sqlite3.OperationalError("database or disk is full"),
    ],
    ids=str,
)
def test_a_full_disk_and_a_full_quota_are_told_alike(error: Exception, tmp_path: Path) -> None:
    class Full(FlatgeobufEncoder):
        def _describe(self, path: Path) -> None:
            raise error

    encoder = Full(SHAPE, workplace=Workplace(tmp_path))
    with pytest.raises(SpoolFull):
        encoded(encoder)
    encoder.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=os.strerror)
def test_rows_that_have_no_room_are_told_as_that(number: int, tmp_path: Path) -> None:
    def report(_: int, __: int) -> None:
        raise OSError(number, os.strerror(number))

    encoder = FlatgeobufEncoder(SHAPE, workplace=Workplace(tmp_path, report=report))
    with pytest.raises(SpoolFull):
        encoded(encoder)
    encoder.close()
