"""Datasets in the form of planning data: text, but for one that has types."""

import math
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

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

Columns = dict[str, Sequence[Any]]


def table(columns: Columns, types: dict[str, pa.DataType] | None = None) -> pa.Table:
    """``entity`` is a number and the rest text, as in the real files, but for what ``types`` names."""
    chosen = {name: pa.string() for name in columns} | {"entity": pa.int64()} | (types or {})
    return pa.table({name: pa.array(values, chosen[name]) for name, values in columns.items()})


def _organisation() -> pa.Table:
    entities = sorted(range(1, 401), key=str)
    columns = common("organisation", 1, entities)
    # These the other datasets name.
    names = [OWNER_NAMES.get(entity, name) for entity, name in zip(entities, columns["name"], strict=True)]
    websites = [f"https://www.example.org/organisation/{entity}?a=1&b=2" for entity in entities]
    return table(columns | {"entity": entities, "name": names, "point": [None] * 400, "website": websites})


def _conservation_area() -> pa.Table:
    columns = common("conservation-area", 44_000_000, sorted([*ORGANISATIONS] * 750, key=str))
    dice = random.Random("areas")
    columns["geometry"] = [area(dice, point) for point in columns["point"]]
    columns["documentation-url"] = [f"https://www.example.org/area/{entity}" for entity in columns["entity"]]
    return table(columns)


def _tree() -> pa.Table:
    columns = common("tree", 7_000_000_000, sorted([*ORGANISATIONS] * 75_000, key=str))
    columns["tree-species"] = picks(random.Random("species"), SPECIES, 300_000)
    columns["GeoX"] = [point[7:].partition(" ")[0] for point in columns["point"]]
    return table(columns)


def _tree_preservation_order() -> pa.Table:
    """The dataset with types: those of the Spark producer, and some that it does not use."""
    organisations = sorted([*ORGANISATIONS] * 1_250)
    count, dice = len(organisations), random.Random("orders")
    columns = common("tree-preservation-order", 19_000_000, organisations)
    columns["organisation-entity"] = organisations
    columns["geometry"] = [area(dice, point) for point in columns["point"]]
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
        "confirmed": (pa.bool_(), picks(dice, (True, False, None), count)),
        "Hectares": (
            pa.decimal128(12, 4),
            picks(dice, (None, Decimal("0.0001"), Decimal("12345678.9")), count),
        ),
        "tree-species": (pa.list_(pa.string()), picks(dice, (None, [], SPECIES[:1], SPECIES[2:]), count)),
    }
    columns |= {name: values for name, (_, values) in more.items()}
    return table(columns, types | {name: kind for name, (kind, _) in more.items()})


def common(dataset: str, first: int, organisations: list[int]) -> Columns:
    """The columns that every dataset has, a row for each item of ``organisations``."""
    dice, count = random.Random(dataset), len(organisations)
    days = [day.isoformat() for day in DAYS]
    corners = [ORGANISATIONS.get(organisation, (0.0, 52.0)) for organisation in organisations]
    roll = dice.random
    return {
        "entity": range(first, first + count),
        "name": picks(dice, NAMES, count),
        "prefix": [dataset] * count,
        "reference": [f"{dataset[:1].upper()}/{number:06d}" for number in range(count)],
        "dataset": [dataset] * count,
        "typology": ["organisation" if dataset == "organisation" else "geography"] * count,
        "organisation-entity": [str(organisation) for organisation in organisations],
        "quality": picks(dice, QUALITIES, count),
        "entry-date": picks(dice, days[-900:], count),
        "start-date": picks(dice, [*days[:-900:40], "", None], count),
        "end-date": picks(dice, ["", "", None, days[-1]], count),
        "geometry": [""] * count,
        "point": [f"POINT ({x + roll() / 10:.6f} {y + roll() / 10:.6f})" for x, y in corners],
        "notes": picks(dice, NOTES, count),
    }


def area(dice: random.Random, point: str) -> str:
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


def picks(dice: random.Random, choices: Sequence[Any], count: int) -> list[Any]:
    """Choices at random; only ``random()`` promises the same numbers in every version of Python."""
    size, roll = len(choices), dice.random
    return [choices[int(roll() * size)] for _ in range(count)]


PLANNING: dict[str, Callable[[], pa.Table]] = {
    "organisation": _organisation,
    "conservation-area": _conservation_area,
    "tree": _tree,
    "tree-preservation-order": _tree_preservation_order,
}
