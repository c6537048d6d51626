"""Sample datasets: the same bytes every time, with the oddities that real ones have."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from application.demo.geography import GEOGRAPHY
from application.demo.planning import PLANNING
from application.demo.words import OWN_WORDS, WORDS

VERSION = "3"  # raise it when what is made changes
ROW_GROUP_ROWS = 20_000
TABLES: dict[str, Callable[[], pa.Table]] = {**PLANNING, **GEOGRAPHY}
# It ends where its copying was broken off.
BROKEN = "brownfield-land"


class DemoDataset(NamedTuple):
    """One sample dataset: its name, its file, its rows."""

    name: str
    path: Path
    rows: int


def make_demo(folder: Path) -> list[DemoDataset]:
    """Write the datasets under ``folder/dataset``, unless this version of them is there already."""
    target, marker = folder / "dataset", folder / ".version"
    paths = {name: target / f"{name}.parquet" for name in TABLES}
    version = f"{VERSION}, pyarrow {pa.__version__}\n"
    current = marker.is_file() and marker.read_text() == version
    if not current or not all(path.is_file() for path in paths.values()):
        target.mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            _write(TABLES[name](), path)
        broken = (target / "organisation.parquet").read_bytes()[:5000]
        _replace(target / f"{BROKEN}.parquet", lambda part: part.write_bytes(broken))
        for name, words in {"datasets": WORDS, **OWN_WORDS}.items():
            text = json.dumps(words, ensure_ascii=False, indent=2) + "\n"
            _replace(target / f"{name}.json", partial(Path.write_text, data=text, encoding="utf-8"))
        marker.write_text(version)
    return [DemoDataset(name, path, pq.read_metadata(path).num_rows) for name, path in paths.items()]


def urls(port: int) -> list[tuple[str, str]]:
    """Addresses to try on a service that runs on ``port``, each with what it shows."""
    paths = {
        "": "the datasets, each with its page",
        "organisation.csv": "a whole dataset as CSV",
        "conservation-area.json?organisation-entity=90": "one organisation's rows as JSON",
        "conservation-area.csv?organisation-entity=122&quality=authoritative&field=reference&field=name": (
            "two filters, two columns"
        ),
        "tree-preservation-order.ndjson?confirmed=true": "a typed filter, one object a line",
        "tree-preservation-order.csv?entry-date__gte=2024-06&Hectares__lt=1": "a date and a number, compared",
        "conservation-area.csv?sort=-entry-date&limit=10": "the ten newest rows",
        "conservation-area.csv?period=current": "the rows that have not ended",
        "tree.csv": "300,000 rows, streamed",
        "tree.parquet": "the same rows as one valid Parquet file",
        "tree.parquet?organisation-entity=329": "some of them, in the file's own types",
        "tree.csv?within=local-authority-district:E09000007": "the trees in a district",
        "listed-building.gpkg?near=-0.12,51.55,5000&crs=EPSG:4326": "what is near, for QGIS, from the grid",
        "odd-geometry.geojson": "each kind of geometry and each fault, as features",
        "ancient-woodland.geoparquet?bbox=-0.2,51.5,0,51.6": "what meets a box, as GeoParquet",
        "datasets": "which datasets there are, one of which cannot be read",
        "health": "the process is alive",
    }
    return [(f"http://127.0.0.1:{port}/{path}", shows) for path, shows in paths.items()]


def _write(table: pa.Table, path: Path) -> None:
    options = {"row_group_size": ROW_GROUP_ROWS, "compression": "zstd", "write_page_checksum": True}
    _replace(path, lambda part: pq.write_table(table, part, **options))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all: a running server never sees half of one."""
    part = path.with_suffix(".part")
    write(part)
    part.replace(path)
