"""What a file's key-value metadata can still say where some of its columns or rows are left."""

import json
from collections.abc import Collection
from typing import Any

from application.models import Dataset, Query

GEO = b"geo"
# Metadata that lists columns and cannot be cut to those that are left: pandas' dtypes, Spark's row type.
DESCRIBES_COLUMNS = (
    b"pandas",
    b"ARROW:schema",
    b"org.apache.spark.sql.parquet.row.metadata",
    b"iceberg.schema",
    b"parquet.avro.schema",
)


def kept_metadata(dataset: Dataset, query: Query) -> dict[bytes, bytes]:
    """The dataset's metadata as far as it is true of a query's columns and rows."""
    metadata = dict(dataset.metadata)
    if not query.has_all_columns(dataset):
        metadata = {key: value for key, value in metadata.items() if key not in DESCRIBES_COLUMNS}
    has_others = len(dataset.objects) > 1
    if GEO in metadata and (has_others or not query.is_whole(dataset)):
        names = {column.name for column in query.columns}
        is_cut = not query.has_all_rows(dataset)
        geo = narrowed_geo(metadata[GEO], names, is_cut=is_cut, has_others=has_others)
        if geo is None:
            del metadata[GEO]
        else:
            metadata[GEO] = geo
    return metadata


def narrowed_geo(geo: bytes, names: Collection[str], *, is_cut: bool, has_others: bool) -> bytes | None:
    """GeoParquet's metadata for these columns; None where no geometry is left, or it is malformed.

    ``is_cut``: not every row of the file that said it is left. ``has_others``: there are rows of other files.
    """
    try:
        said = json.loads(geo, parse_constant=_no_json)
        columns = {
            name: _narrowed_column(dict(column), names, is_cut, has_others)
            for name, column in said["columns"].items()
            if name in names
        }
        if not columns:
            return None
        primary = said["primary_column"] if said["primary_column"] in columns else next(iter(columns))
        whole = {**said, "primary_column": primary, "columns": columns}
        return json.dumps(whole, allow_nan=False, separators=(",", ":")).encode()
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # Whoever wrote it may have written anything.
        return None


def _narrowed_column(
    column: dict[str, Any], names: Collection[str], is_cut: bool, has_others: bool
) -> dict[str, Any]:
    """One geometry column's entry, without what the rows and columns that are left may not bear out."""
    if is_cut or has_others:
        column.pop("bbox", None)
        kinds = column.get("geometry_types")
        # Of one kind alone every subset is too.
        if kinds and (has_others or len(kinds) > 1):
            column["geometry_types"] = []
    if "covering" in column:
        covering = {
            kind: paths
            for kind, paths in column.pop("covering").items()
            if all(path[0] in names for path in paths.values())
        }
        if covering:
            column["covering"] = covering
    return column


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
