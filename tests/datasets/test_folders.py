"""What the names of folders say: which objects are parts, and which values their folders give them."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from application.datasets.folders import folder_type, folder_values, parts_of
from application.models import ObjectMeta


def meta(path: str, size: int = 100) -> ObjectMeta:
    return ObjectMeta(path, size, datetime(2024, 1, 1, tzinfo=UTC), path, path)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("tree/year=2024/month=01/p.parquet", {"year": "2024", "month": "01"}),
        ("tree/p.parquet", {}),
        ("tree/plain/year=2024.parquet", {}),
        ("tree/a%20b=c%2Fd%3De/p.parquet", {"a b": "c/d=e"}),
        ("tree/a=__HIVE_DEFAULT_PARTITION__/b=/p.parquet", {"a": None, "b": ""}),
        ("tree/=x/a=b=c/p.parquet", {"a": "b=c"}),
        ("tree/a=%FF/é=ü/p.parquet", {"a": "%FF", "é": "ü"}),
        ("tree/a=1/a=2/p.parquet", {"a": "2"}),
        ("a=1/p.parquet", {}),
    ],
)
def test_folders_are_names_and_values(path: str, values: dict[str, str | None]) -> None:
    assert folder_values(path) == values


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2024", "2025", None], pa.int64()),
        (["01", "12", "-3"], pa.int64()),
        (["1", "01"], pa.string()),
        (["9223372036854775807", "-9223372036854775808"], pa.int64()),
        (["9223372036854775808"], pa.string()),
        (["2024-01-31", "2024-02-29"], pa.date32()),
        (["2024-01-31", "2023-02-29"], pa.string()),
        (["2024-01-31", "2024"], pa.string()),
        (["1.5"], pa.string()),
        (["", "1"], pa.string()),
        (["٣"], pa.string()),
        ([None], pa.string()),
    ],
)
def test_values_of_folders_have_one_type(values: list[str | None], kind: pa.DataType) -> None:
    assert folder_type(values) == kind


def test_what_is_no_part_is_passed_over() -> None:
    parts = ("t/a=1/p.parquet", "t/p.parquet", "t/x.parquet/p.parquet", "t/_year=2024/p.parquet")
    others = (
        *("t/_SUCCESS", "t/.p.parquet.crc", "t/p.parquet.crc", "t/_temporary/0/p.parquet"),
        *("t/a=1/_delta_log/p.parquet", "t/.hidden/p.parquet", "t/a=2_$folder$"),
    )
    markers = [meta(path, 0) for path in ("t", "t/a=1", "t/x.parquet", *others)]
    found = sorted([*markers, *map(meta, parts), meta("t/empty.parquet", 0)], key=lambda item: item.path)
    # An empty file that is nobody's folder may have lost its rows: it is not passed over.
    assert {item.path for item in parts_of(found)} == {*parts, "t/empty.parquet"}
