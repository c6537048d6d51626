"""What nobody here can read is refused by name, costs nothing when left out, and is there as it is stored."""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from tests.support import edits
from tests.support.serving import Served, serving_folder

FORMATS = ("csv", "json", "ndjson", "parquet")
LZO, UNKNOWN_CODEC, BSON = 3, 99, 20
Edit = Callable[[edits.Struct], None]


class _Keys(pe.KmsClient):
    """A key service that hides nothing."""

    def __init__(self, _: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)


def encrypted(path: Path, *, plaintext_footer: bool) -> None:
    """Write with column v encrypted, and the footer too unless it is plain."""
    table = pa.table({"k": [1, 2], "v": ["a", "b"]})
    keys = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["v"]}, plaintext_footer=plaintext_footer
    )
    properties = pe.CryptoFactory(_Keys).file_encryption_properties(pe.KmsConnectionConfig(), keys)
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)


def edited(change: Edit) -> Callable[[Path], object]:
    table = pa.table({"k": [1, 2], "v": ["a", "b"]})
    return lambda path: path.write_bytes(edits.edited(edits.plain(table), change))


def with_codec(number: int) -> Edit:
    def change(footer: edits.Struct) -> None:
        edits.chunks(footer)[1][4] = (5, number)

    return change


def without_fields(footer: edits.Struct) -> None:
    """A struct without fields in the place of v, as Spark's and old polars' schemas may have it."""
    elements = edits.elements(footer)
    elements[2] = {3: (5, 1), 4: (8, b"v"), 5: (5, 0)}
    # The order of each column's statistics: there is a column less.
    footer.pop(7, None)
    for group in footer[4][1][1]:
        del group[1][1][1][1]


@dataclass(frozen=True)
class Refusal:
    write: Callable[[Path], object]
    says: str


# Files of the columns k (1 and 2) and v: v is what is refused.
REFUSED = {
    "INTERVAL": Refusal(
        lambda path: duckdb.sql(
            f"COPY (SELECT k, to_days(k) AS v FROM (VALUES (1), (2)) AS t(k)) TO '{path}' (FORMAT parquet)"
        ),
        "INTERVAL",
    ),
    "INTERVAL in a list": Refusal(
        lambda path: duckdb.sql(
            f"COPY (SELECT k, [to_days(k)] AS v FROM (VALUES (1), (2)) AS t(k)) TO '{path}' (FORMAT parquet)"
        ),
        "INTERVAL",
    ),
    "Int128": Refusal(
        lambda path: pl.DataFrame(
            {"k": [1, 2], "v": [2**100, None]}, schema={"k": pl.Int64, "v": pl.Int128}
        ).write_parquet(path),
        "128 bits",
    ),
    "Int128 in a struct": Refusal(
        lambda path: pl.DataFrame(
            {"k": [1, 2], "v": [{"a": [2**100]}, None]},
            schema={"k": pl.Int64, "v": pl.Struct({"a": pl.List(pl.UInt128)})},
        ).write_parquet(path),
        "128 bits",
    ),
    "a struct without fields": Refusal(edited(without_fields), "without fields"),
    "LZO": Refusal(edited(with_codec(LZO)), "LZO"),
    "an encrypted column": Refusal(lambda path: encrypted(path, plaintext_footer=True), "encrypted"),
}
# Files of which no column can be read.
UNREADABLE = {
    "an encrypted footer": Refusal(lambda path: encrypted(path, plaintext_footer=False), "encrypted"),
    "an unknown codec": Refusal(edited(with_codec(UNKNOWN_CODEC)), "codec 99"),
    "BSON": Refusal(
        lambda path: path.write_bytes(
            edits.edited(
                edits.plain(pa.table({"k": [1], "v": [b"x"]})),
                lambda footer: edits.elements(footer)[2].update({6: (5, BSON)}),
            )
        ),
        "schema",
    ),
}
FILES = {name: f"case-{place}" for place, name in enumerate([*REFUSED, *UNREADABLE])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("refused")
    for name, case in {**REFUSED, **UNREADABLE}.items():
        path = root / f"{FILES[name]}.parquet"
        case.write(path)
        (root / f"{FILES[name]}-parts").mkdir()
        (root / f"{FILES[name]}-parts/part.parquet").write_bytes(path.read_bytes())
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder, log_level="CRITICAL") as served:
        yield served


@pytest.mark.parametrize("name", REFUSED)
def test_a_column_that_nobody_reads_is_refused_by_name(server: Served, name: str) -> None:
    file = FILES[name]
    paths = [f"/{file}-parts.{extension}" for extension in FORMATS]
    paths += [f"/{file}.{extension}" for extension in FORMATS if extension != "parquet"]
    paths += [f"/{file}.parquet?k=1", f"/{file}.csv?field=v", f"/{file}.csv?k=1"]
    for path in paths:
        answer = server.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "column-unsupported"), path
        detail = answer.json()["detail"]
        assert "'v'" in detail
        assert REFUSED[name].says in detail
        assert "exclude_field=v" in detail


@pytest.mark.parametrize("name", REFUSED)
def test_a_column_that_is_left_out_costs_nothing_whatever_it_is(server: Served, name: str) -> None:
    for dataset in (FILES[name], f"{FILES[name]}-parts"):
        for query, rows in (("exclude_field=v", [1, 2]), ("field=k", [1, 2]), ("field=k&k=2", [2])):
            assert server.get(f"/{dataset}.json?{query}").json() == [{"k": row} for row in rows]
            assert server.get(f"/{dataset}.csv?{query}").text == '"k"\n' + "".join(
                f'"{row}"\n' for row in rows
            )
            kept = pq.read_table(io.BytesIO(server.get(f"/{dataset}.parquet?{query}").content))
            assert kept["k"].to_pylist() == rows


@pytest.mark.parametrize("name", REFUSED)
def test_a_filter_on_a_column_that_nobody_reads_is_refused_by_name(server: Served, name: str) -> None:
    answer = server.get(f"/{FILES[name]}.csv?field=k&v=a")
    assert answer.status_code == 422
    assert "'v'" in answer.json()["detail"]


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_of_which_nothing_can_be_read_says_why(server: Served, name: str) -> None:
    for path in (".csv", ".json", ".ndjson", ".parquet?field=k", "-parts.csv", "-parts.parquet"):
        answer = server.get(f"/{FILES[name]}{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "dataset-invalid"), path
        assert UNREADABLE[name].says in answer.json()["detail"]
    assert server.get(f"/datasets/{FILES[name]}/manifest?format=parquet").status_code == 500


@pytest.mark.parametrize("name", FILES)
def test_the_stored_object_is_there_as_it_is(server: Served, folder: Path, name: str) -> None:
    stored = (folder / f"{FILES[name]}.parquet").read_bytes()
    whole = server.get(f"/{FILES[name]}.parquet")
    assert (whole.status_code, whole.content) == (200, stored)
    part = server.get(f"/{FILES[name]}.parquet", headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, stored[4:10])
