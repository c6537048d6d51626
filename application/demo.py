"""Sample datasets: the same bytes every time, with the oddities that real ones have."""

import json
import math
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

VERSION = "2"  # raise it when what is made changes
ROW_GROUP_ROWS = 20_000
DAYS = [date(1968, 1, 1) + timedelta(days=day) for day in range(21_000)]

# entity: longitude and latitude of its south-western corner
ORGANISATIONS = {67: (-0.81, 51.81), 90: (-0.17, 51.52), 122: (-1.16, 53.49), 329: (-0.09, 51.45)}
OWNER_NAMES = {67: "Buckinghamshire", 90: "Camden", 122: "Doncaster", 329: "Southwark"}
QUALITIES = ("some", "authoritative", "", None, "none", "indicative", "usable", "trustworthy")
NAMES = ("Church Street", "St Mary's", "Château Close", "Canal, North Side", '"The" Park', "", None)
SPECIES = ("Quercus robur", "Fagus sylvatica", "Platanus × hispanica", "Acer, unknown", None)
# What writers and readers of CSV and JSON stumble over.
NOTES = (
    None,
    "",
    'Known as "The Green", see plan',
    "first line\nsecond line",
    "carriage\r\nreturn, tab\tand back\\slash",
    "Coed Tŷ Gwyn, 12 m × 4 m – café",
    "🌳 veteran oak 𐍈",
    "=1+1",
    "  blanks around  ",
    "NULL",
)

# What a publisher says of them, where publishers say it (docs/publishing.md).
COUNCIL = {"publisher": "A council of the demo", "contact": "data@example.org", "licence": "OGL-UK-3.0"}
OWNERS = {"organisation-entity": "organisation:entity:name"}
ENTITY = {"name": "entity", "description": "The number of the row, which does not change"}
OWNER = {"name": "organisation-entity", "description": "Which organisation answers for it"}
WORDS: dict[str, dict[str, Any]] = {
    "organisation": {
        "title": "Organisations",
        "description": "Who answers for the rows of the other datasets.",
        "key": "entity",
        "columns": [ENTITY],
        **COUNCIL,
    },
    "conservation-area": {
        "title": "Conservation areas",
        "description": "Areas whose character is to be kept, with their outlines.",
        "attribution": "© Crown copyright and database right 2026, of a demo",
        "key": "entity",
        "labels": OWNERS,
        "columns": [ENTITY, OWNER],
        "geometry": {"column": "geometry", "crs": "EPSG:4326"},
        **COUNCIL,
    },
    "tree": {
        "title": "Trees",
        "description": "Trees that orders protect, each as a point.",
        "attribution": "© Crown copyright and database right 2026, of a demo",
        "key": "entity",
        "labels": OWNERS,
        "columns": [ENTITY, OWNER, {"name": "tree-species", "description": "Its botanical name"}],
        "geometry": {"column": "point", "crs": "EPSG:4326"},
        **COUNCIL,
    },
    "brownfield-land": {"title": "Brownfield land", **COUNCIL},
}
# These lie beside their dataset, whose columns have types.
OWN_WORDS: dict[str, dict[str, Any]] = {
    "tree-preservation-order": {
        "title": "Tree preservation orders",
        "description": "Orders that protect trees: of typed columns, dates and decimals among them.",
        "key": "entity",
        "labels": OWNERS,
        "columns": [ENTITY, OWNER, {"name": "Hectares", "description": "Its area"}],
        "geometry": {"column": "geometry", "crs": "EPSG:4326"},
        **COUNCIL,
    }
}
# It ends where its copying was broken off.
BROKEN = "brownfield-land"

Columns = dict[str, Sequence[Any]]


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


def _table(columns: Columns, types: dict[str, pa.DataType] | None = None) -> pa.Table:
    """``entity`` is a number and the rest text, as in the real files, but for what ``types`` names."""
    chosen = {name: pa.string() for name in columns} | {"entity": pa.int64()} | (types or {})
    return pa.table({name: pa.array(values, chosen[name]) for name, values in columns.items()})


def _organisation() -> pa.Table:
    entities = sorted(range(1, 401), key=str)
    columns = _common("organisation", 1, entities)
    # These the other datasets name.
    names = [OWNER_NAMES.get(entity, name) for entity, name in zip(entities, columns["name"], strict=True)]
    websites = [f"https://www.example.org/organisation/{entity}?a=1&b=2" for entity in entities]
    return _table(columns | {"entity": entities, "name": names, "point": [None] * 400, "website": websites})


def _conservation_area() -> pa.Table:
    columns = _common("conservation-area", 44_000_000, sorted([*ORGANISATIONS] * 750, key=str))
    dice = random.Random("areas")
    columns["geometry"] = [_area(dice, point) for point in columns["point"]]
    columns["documentation-url"] = [f"https://www.example.org/area/{entity}" for entity in columns["entity"]]
    return _table(columns)


def _tree() -> pa.Table:
    columns = _common("tree", 7_000_000_000, sorted([*ORGANISATIONS] * 75_000, key=str))
    columns["tree-species"] = _picks(random.Random("species"), SPECIES, 300_000)
    columns["GeoX"] = [point[7:].partition(" ")[0] for point in columns["point"]]
    return _table(columns)


def _tree_preservation_order() -> pa.Table:
    """The dataset with types: those of the Spark producer, and some that it does not use."""
    organisations = sorted([*ORGANISATIONS] * 1_250)
    count, dice = len(organisations), random.Random("orders")
    columns = _common("tree-preservation-order", 19_000_000, organisations)
    columns["organisation-entity"] = organisations
    columns["geometry"] = [_area(dice, point) for point in columns["point"]]
    types = {"organisation-entity": pa.int64()}
    for name in ("entry-date", "start-date", "end-date"):
        columns[name] = [date.fromisoformat(day) if day else None for day in columns[name]]
        types[name] = pa.date32()
    midnight = datetime(2026, 1, 5)  # noqa: DTZ001 - the Spark producer's timestamps have no zone
    more: dict[str, tuple[pa.DataType, Sequence[Any]]] = {
        "processed-timestamp": (
            pa.timestamp("us"),
            [midnight + timedelta(seconds=n / 8) for n in range(count)],
        ),
        "confirmed": (pa.bool_(), _picks(dice, (True, False, None), count)),
        "Hectares": (
            pa.decimal128(12, 4),
            _picks(dice, (None, Decimal("0.0001"), Decimal("12345678.9")), count),
        ),
        "tree-species": (pa.list_(pa.string()), _picks(dice, (None, [], SPECIES[:1], SPECIES[2:]), count)),
    }
    columns |= {name: values for name, (_, values) in more.items()}
    return _table(columns, types | {name: kind for name, (kind, _) in more.items()})


def _common(dataset: str, first: int, organisations: list[int]) -> Columns:
    """The columns that every dataset has, a row for each item of ``organisations``."""
    dice, count = random.Random(dataset), len(organisations)
    days = [day.isoformat() for day in DAYS]
    corners = [ORGANISATIONS.get(organisation, (0.0, 52.0)) for organisation in organisations]
    roll = dice.random
    return {
        "entity": range(first, first + count),
        "name": _picks(dice, NAMES, count),
        "prefix": [dataset] * count,
        "reference": [f"{dataset[:1].upper()}/{number:06d}" for number in range(count)],
        "dataset": [dataset] * count,
        "typology": ["organisation" if dataset == "organisation" else "geography"] * count,
        "organisation-entity": [str(organisation) for organisation in organisations],
        "quality": _picks(dice, QUALITIES, count),
        "entry-date": _picks(dice, days[-900:], count),
        "start-date": _picks(dice, [*days[:-900:40], "", None], count),
        "end-date": _picks(dice, ["", "", None, days[-1]], count),
        "geometry": [""] * count,
        "point": [f"POINT ({x + roll() / 10:.6f} {y + roll() / 10:.6f})" for x, y in corners],
        "notes": _picks(dice, NOTES, count),
    }


def _area(dice: random.Random, point: str) -> str:
    """One or two closed rings at a point, anticlockwise, as WKT in WGS 84."""
    x, y = map(float, point[7:-1].split(" "))
    polygons = []
    for middle in (x, x + 0.01)[: 1 + int(dice.random() * 2)]:
        corners = 8 + int(dice.random() * 90)
        reach = [0.001 + dice.random() * 0.002 for _ in range(corners)]
        turns = [2 * math.pi * corner / corners for corner in range(corners)]
        ring = [
            f"{middle + r * 1.6 * math.cos(t):.6f} {y + r * math.sin(t):.6f}"
            for r, t in zip(reach, turns, strict=True)
        ]
        polygons.append(f"(({','.join([*ring, ring[0]])}))")
    return f"MULTIPOLYGON ({','.join(polygons)})"


def _picks(dice: random.Random, choices: Sequence[Any], count: int) -> list[Any]:
    """Choices at random; only ``random()`` promises the same numbers in every version of Python."""
    size, roll = len(choices), dice.random
    return [choices[int(roll() * size)] for _ in range(count)]


TABLES: dict[str, Callable[[], pa.Table]] = {
    "organisation": _organisation,
    "conservation-area": _conservation_area,
    "tree": _tree,
    "tree-preservation-order": _tree_preservation_order,
}
