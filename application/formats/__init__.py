"""The formats a dataset can be downloaded in, by extension."""

from dataclasses import replace
from functools import partial

from application.formats.base import Chunk, Encoder, Format, GroupEncoder
from application.geometry import WGS84
from application.models import Dialect, Geometry, Shape

__all__ = ["FORMATS", "MAPPED_PREVIEW", "PREVIEW", "Chunk", "Encoder", "Format", "GroupEncoder"]

_TEXT_CHECK = "application.formats.columns:check"
_TEXT_WRITERS = ("pyarrow", "polars", "orjson")
_FEATURE_WRITERS = (*_TEXT_WRITERS, "shapely")
_LAYER_WRITERS = (*_FEATURE_WRITERS, "duckdb-extension-spatial")
# `growth` is the most that was measured, rounded up: 19 and 45 times what dictionaries had made small, for
# Arrow 28 of small numbers, and for Parquet 1.9 and xlsx 17, of files of six rows.

# What GDAL writes, by the engine.
_layer = partial(
    Format,
    check="application.formats.layer:check",
    writers=_LAYER_WRITERS,
    growth=20,
    random_access=True,
    whole=True,
    spooled=True,
    layer=True,
    geometry=True,
    words=True,
    wkt=True,
)

# In the order in which people look for them.
FORMATS: dict[str, Format] = {
    row.extension: row
    for row in (
        Format(
            extension="csv",
            media_type="text/csv",
            use="spreadsheets, and nearly every tool",
            encoder="application.formats.delimited:DelimitedEncoder",
            check=_TEXT_CHECK,
            writers=_TEXT_WRITERS,
            revision=3,
            growth=20,
            codable=True,
            wkt=True,
            independent=True,
            dialect=Dialect(","),
        ),
        Format(
            extension="xlsx",
            media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            use="Excel and other spreadsheets",
            encoder="application.formats.xlsx:XlsxEncoder",
            check="application.formats.xlsx:check",
            writers=("pyarrow", "polars", "orjson", "isal"),
            revision=3,
            growth=20,
            random_access=True,
            whole=True,
            most_rows=1_048_575,
            words=True,
            column_words=True,
            wkt=True,
        ),
        Format(
            extension="geojson",
            media_type="application/geo+json",
            use="maps on the web, QGIS and other tools for geography",
            encoder="application.formats.geojson:GeojsonEncoder",
            check=_TEXT_CHECK,
            writers=_FEATURE_WRITERS,
            revision=2,
            growth=50,
            codable=True,
            measured=True,
            geometry=True,
            wkt=True,
            crs=WGS84,
            keyed=True,
            independent=True,
            joiner=b",\n",
        ),
        _layer(
            extension="gpkg",
            media_type="application/geopackage+sqlite3",
            use="QGIS, ArcGIS and other tools for geography",
            encoder="application.engine.layers:GeopackageEncoder",
            revision=2,
            dated=True,
        ),
        Format(
            extension="parquet",
            media_type="application/vnd.apache.parquet",
            use="DuckDB, pandas, polars, R and other tools for analysis",
            encoder="application.formats.parquet:ParquetEncoder",
            check="application.formats.parquet:check",
            writers=("pyarrow",),
            revision=4,
            growth=2,
            native=True,
            random_access=True,
            words=True,
        ),
        Format(
            extension="geoparquet",
            media_type="application/vnd.apache.parquet",
            use="GeoPandas, DuckDB, QGIS and other tools that read Parquet with geometry",
            encoder="application.formats.geoparquet:GeoparquetEncoder",
            check="application.formats.parquet:check",
            writers=("pyarrow", "shapely"),
            revision=1,
            growth=3,
            random_access=True,
            whole=True,
            spooled=True,
            geometry=True,
            words=True,
        ),
        _layer(
            extension="fgb",
            media_type="application/flatgeobuf",
            use="QGIS, GDAL and maps on the web, which fetch a part of it by URL",
            encoder="application.engine.layers:FlatgeobufEncoder",
            revision=2,
            reorders=True,
        ),
        Format(
            extension="json",
            media_type="application/json",
            use="web pages and scripts that read it whole",
            encoder="application.formats.json:JsonEncoder",
            check=_TEXT_CHECK,
            writers=_TEXT_WRITERS,
            revision=3,
            growth=50,
            codable=True,
            wkt=True,
            independent=True,
            joiner=b",\n",
        ),
        Format(
            extension="ndjson",
            media_type="application/x-ndjson",
            use="programs that read a row at a time",
            encoder="application.formats.json:NdjsonEncoder",
            check=_TEXT_CHECK,
            writers=_TEXT_WRITERS,
            revision=3,
            growth=50,
            codable=True,
            wkt=True,
            independent=True,
        ),
        Format(
            extension="geojsonl",
            media_type="application/x-ndjson",
            use="programs that read a feature at a time, such as GDAL and tippecanoe",
            encoder="application.formats.geojson:GeojsonLinesEncoder",
            check=_TEXT_CHECK,
            writers=_FEATURE_WRITERS,
            revision=2,
            growth=50,
            codable=True,
            measured=True,
            geometry=True,
            wkt=True,
            crs=WGS84,
            keyed=True,
            independent=True,
        ),
        Format(
            extension="tsv",
            media_type="text/tab-separated-values",
            use="pasting into spreadsheets, and programs that split lines at tabs",
            encoder="application.formats.delimited:TabbedEncoder",
            check=_TEXT_CHECK,
            writers=_TEXT_WRITERS,
            revision=2,
            growth=20,
            codable=True,
            wkt=True,
            dialect=Dialect("\t"),
            independent=True,
        ),
        Format(
            extension="arrow",
            media_type="application/vnd.apache.arrow.stream",
            use="programs that hand tables on, in Python, R, JavaScript and others",
            encoder="application.formats.arrow:ArrowEncoder",
            check="application.formats.arrow:check",
            writers=("pyarrow",),
            revision=1,
            growth=30,
            codable=True,
            words=True,
        ),
    )
}

# No download: what a page shows of one.
PREVIEW = Format(
    extension="preview",
    media_type="application/x-ndjson",
    use="pages",
    encoder="application.formats.preview:PreviewEncoder",
    check=_TEXT_CHECK,
    writers=_TEXT_WRITERS,
    revision=1,
    growth=50,
    wkt=True,
)
# The same with where the rows are, for what has geometry.
MAPPED_PREVIEW = replace(
    PREVIEW,
    extension="mapped preview",
    encoder="application.formats.mapped:MappedPreviewEncoder",
    writers=_FEATURE_WRITERS,
    geometry=True,
    textual=True,
)


def load_writers() -> None:
    """Load what writes formats and codings, and have it make its threads, before they are needed.

    But for layers: what writes these is made anew for each.
    """
    import pyarrow as pa

    from application.formats.compression import CODINGS, Compressor

    batch = pa.record_batch({"a": ["b"], "g": ["POINT (1 2)"]})
    shape = Shape(Geometry("g", "wkt", WGS84), "feature")
    for row in FORMATS.values():
        if row.layer:
            continue
        encoder = row.open_encoder(shape=shape if row.geometry else None)
        encoder.start(batch.schema)
        encoder.encode(batch)
        encoder.finish()
    for coding in CODINGS:
        with Compressor(coding) as compressor:
            compressor.finish()
