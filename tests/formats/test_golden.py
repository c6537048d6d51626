"""The bytes of each format and coding stay what they were, or its revision is raised.

The service's version is in no ETag: without a raised revision, clients and caches would take new
bytes for the old ones, and a resumed download would be of both.
"""

import hashlib
import platform

import pyarrow as pa
import pytest

from application.formats import FORMATS
from application.formats.compression import BLOCK_BYTES, CODINGS, Compressor
from tests.formats.support import EVERY, picked, written

MACHINE = "x86_64"
# By extension or coding: of what version, and the SHA-256 of its bytes.
GOLDEN: dict[str, tuple[tuple[str, ...], str]] = {
    "csv": (
        ("revision 3", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0"),
        "ccf7d858de6b7bdb7d1718052936b38dac34eec55e04553647889e408c9620cd",
    ),
    "tsv": (
        ("revision 2", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0"),
        "7d732f53e5b0c30e7ce6702ad7ada25451ccedc04ae76999d3b238cba3357859",
    ),
    "json": (
        ("revision 3", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0"),
        "8fd5dab90d39afeced4c4eb0e58a850079c013a0123ad26f6815577a7cfb7d3b",
    ),
    "ndjson": (
        ("revision 3", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0"),
        "46f531a952a80342746a3a119651f2f89c95b6184fac6357835997c3fa2ebc6e",
    ),
    "geojson": (
        ("revision 2", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0", "shapely 2.2.0"),
        "1b7b87bd0e4e7ffa4e0b259e04df4508c9042d0d5f050507b8da4994687b6ada",
    ),
    "geojsonl": (
        ("revision 2", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0", "shapely 2.2.0"),
        "4551eb6eb93a91c87d205ebc83560c4ca61b88d2a3688f9d48d563fe6b0ee9ed",
    ),
    "parquet": (
        ("revision 4", "pyarrow 26.0.1"),
        "6f73c74fecaa28ca45fc38f5d1e0e8ac563d8c42102ba426bd4015586567ddf5",
    ),
    "geoparquet": (
        ("revision 1", "pyarrow 26.0.1", "shapely 2.2.0"),
        "f108fdbd702eb1bda2f10425acc1d78d69be77236028025afe37d901d99153e6",
    ),
    "fgb": (
        (
            "revision 2",
            "pyarrow 26.0.1",
            "polars 2.1.0",
            "orjson 3.13.0",
            "shapely 2.2.0",
            "duckdb-extension-spatial 1.5.5",
        ),
        "4ee806fb5b6e55ae743c50b36f9ef3019dedc545592f80fcffd4766a471cd510",
    ),
    "gpkg": (
        (
            "revision 2",
            "pyarrow 26.0.1",
            "polars 2.1.0",
            "orjson 3.13.0",
            "shapely 2.2.0",
            "duckdb-extension-spatial 1.5.5",
        ),
        "59a80c8b10fb94c67b90da7dd8e1cabdf5856051259333916529c495e06c2002",
    ),
    "arrow": (
        ("revision 1", "pyarrow 26.0.1"),
        "d19d3ea5934f5e755c5fb985ddfc064444f22802f397fac4db84e61e1bd999cc",
    ),
    "xlsx": (
        ("revision 3", "pyarrow 26.0.1", "polars 2.1.0", "orjson 3.13.0", "isal 1.9.1", MACHINE),
        "f97b185925a7f5fa0e79a5c2cdc8558bbb86258aa75b2ec68df19bfaf0dea4ed",
    ),
    "gzip": (
        ("revision 2", "isal 1.9.1", MACHINE),
        "6714fdd97ca392e3489783513c1386a2b8412131140238260ee09355b09e3c95",
    ),
    "zstd": (
        ("revision 2", "zstandard 0.25.0", MACHINE),
        "28a4399e8aa14a2f86c92b5c9fb055d8a4fad225f08611649e1059469b445e99",
    ),
}


def compare(name: str, version: tuple[str, ...], body: bytes) -> None:
    """Fail with words that say what to do."""
    noted, expected = GOLDEN[name]
    found = hashlib.sha256(body).hexdigest()
    assert version == noted, f"{name} is now of {version}: note that here, with {found}"
    assert found == expected, (
        f"The bytes of {name} changed under one version: raise `revision` in its row, and note it here with "
        f"{found}. Only where the test writes other rows than before, the digest alone."
    )


@pytest.mark.parametrize("extension", FORMATS)
def test_a_format_writes_the_bytes_of_its_revision(extension: str) -> None:
    table = pa.table({name: picked(name, range(10)) for name in EVERY})
    compare(extension, FORMATS[extension].version, written(extension, table))


@pytest.mark.skipif(platform.machine() != MACHINE, reason=f"the digests are of {MACHINE}")
@pytest.mark.parametrize("coding", CODINGS)
def test_a_coding_writes_the_bytes_of_its_revision(coding: str) -> None:
    text = "".join(f"{row},Mill Lane {row * 7919 % 1009}\n" for row in range(BLOCK_BYTES // 4)).encode()
    # Past what one worker of zstd takes at once, too.
    assert len(text) > 4 * BLOCK_BYTES
    with Compressor(coding) as compressor:
        compare(coding, CODINGS[coding].version, compressor.compress(text) + compressor.finish())
