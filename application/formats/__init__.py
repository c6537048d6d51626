"""The formats a dataset can be downloaded in, by extension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.formats.base import Chunk, Encoder, Format

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "Chunk", "Encoder", "Format"]

# The encoders' modules load polars and more of pyarrow: each waits for its first download.


def _csv() -> Encoder:
    from application.formats.delimited import CsvEncoder

    return CsvEncoder()


def _json() -> Encoder:
    from application.formats.json import JsonEncoder

    return JsonEncoder()


def _ndjson() -> Encoder:
    from application.formats.json import NdjsonEncoder

    return NdjsonEncoder()


def _parquet() -> Encoder:
    from application.formats.parquet import ParquetEncoder

    return ParquetEncoder()


def _check_csv(schema: pa.Schema) -> None:
    from application.formats.scalars import check

    check(schema, "csv")


def _check_json(schema: pa.Schema) -> None:
    from application.formats.scalars import check

    check(schema, "json")


def _check_ndjson(schema: pa.Schema) -> None:
    from application.formats.scalars import check

    check(schema, "ndjson")


def _check_parquet(schema: pa.Schema) -> None:
    from application.formats.parquet import check

    check(schema)


FORMATS: dict[str, Format] = {
    format.extension: format
    for format in (
        Format("csv", "text/csv", _csv, True, _check_csv),
        Format("json", "application/json", _json, True, _check_json),
        Format("ndjson", "application/x-ndjson", _ndjson, True, _check_ndjson),
        Format("parquet", "application/vnd.apache.parquet", _parquet, False, _check_parquet),
    )
}
