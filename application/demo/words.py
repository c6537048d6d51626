"""What the publishers of the sample datasets say of them."""

from typing import Any

# What a publisher says of them, where publishers say it (docs/publishing.md).
COUNCIL = {"publisher": "A council of the demo", "contact": "data@example.org", "licence": "OGL-UK-3.0"}
OWNERS = {"organisation-entity": "organisation:entity:name"}
ENTITY = {"name": "entity", "description": "The number of the row, which does not change"}
OWNER = {"name": "organisation-entity", "description": "Which organisation answers for it"}


def _of(title: str, description: str) -> dict[str, Any]:
    columns = [ENTITY, OWNER]
    return {
        "title": title,
        "description": description,
        "key": "entity",
        "labels": OWNERS,
        "columns": columns,
    } | COUNCIL


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
    "local-authority-district": {
        "title": "Local authority districts",
        "description": "Districts by which other datasets' rows are chosen; their outlines are made up.",
        "key": "entity",
        "labels": OWNERS,
        "columns": [ENTITY, OWNER],
        "geometry": {"column": "geometry", "crs": "EPSG:4326"},
        **COUNCIL,
    },
    "odd-geometry": {
        "title": "Odd geometries",
        "description": "Each kind of geometry, and each fault, in a row: its name says what it is.",
        "key": "entity",
        "columns": [ENTITY, {"name": "name", "description": "What the geometry is"}],
        "geometry": {"column": "geometry", "crs": "EPSG:4326"},
        **COUNCIL,
    },
    "public-right-of-way": _of("Public rights of way", "Ways on foot, as lines."),
    "listed-building": {
        **_of("Listed buildings", "Points on the British national grid."),
        "geometry": {"column": "geometry", "crs": "EPSG:27700"},
    },
    "ancient-woodland": _of("Ancient woodland", "Woods as GeoParquet has them: WKB, each with its box."),
    "park-and-garden": _of("Parks and gardens", "Parks in Parquet's own type for geometry."),
    "scheduled-monument": _of("Scheduled monuments", "Monuments as points of GeoArrow."),
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
