"""What is offered, as JSON: docs/api.md describes each member. What is not known is left out."""

from dataclasses import asdict
from typing import Any

import orjson

from application.client.contract import (
    ALIAS,
    CATALOGUE,
    DATASET_DOCUMENT,
    DESCRIPTION,
    DOWNLOAD,
    ESTIMATE,
    MANIFEST,
    OPENAPI,
    STATUS,
)
from application.datasets.description import ColumnDescription
from application.datasets.geometry import Geometry
from application.datasets.listing import Listed, Seen
from application.datasets.profile import Profile, column_json
from application.downloads.offers import Offer, OfferedFormat
from application.models import Dataset

LINES = ("title", "description", "licence", "attribution", "publisher", "contact")


def catalogue_body(seen: Seen) -> bytes:
    """The catalogue as JSON text."""
    return orjson.dumps(catalogue_json(seen))


def offer_body(offered: Offer) -> bytes:
    """A dataset's description as JSON text."""
    return orjson.dumps(offer_json(offered))


def catalogue_json(seen: Seen) -> dict[str, Any]:
    """The catalogue, as docs/api.md has it."""
    return {"datasets": [_listed_json(item) for item in seen.datasets], "links": {"self": CATALOGUE}}


def offer_json(offered: Offer) -> dict[str, Any]:
    """A dataset's description, as docs/api.md has it; what is not known is left out."""
    description = offered.description
    dataset, words = description.dataset, description.dataset.words
    return _known(
        {
            "name": dataset.name,
            **{name: getattr(words, name) for name in LINES},
            "modified": dataset.last_modified.isoformat(),
            "e_tag": dataset.e_tag,
            "rows": None if dataset.fault else dataset.rows,
            "bytes": dataset.size,
            "problem": dataset.fault,
            "key": words.key,
            "labels": {name: ":".join(asdict(label).values()) for name, label in words.labels.items()},
            "text": list(words.text),
            "columns": [_column_json(column, offered) for column in description.columns],
            "profile": _profile_json(description.profile),
            "geometry": _geometry_json(description.geometry),
            "formats": [_format_json(dataset, item) for item in offered.formats],
            "links": {
                "self": DESCRIPTION.format(dataset=dataset.name),
                "catalogue": CATALOGUE,
                "manifest": MANIFEST.format(dataset=dataset.name),
                "estimate": ESTIMATE.format(dataset=dataset.name),
                "status": STATUS.format(dataset=dataset.name),
                "openapi": DATASET_DOCUMENT.format(dataset=dataset.name),
            },
            "source": {
                "parts": len(dataset.objects),
                "row_groups": sum(len(part.groups) for part in dataset.parts),
            },
        }
    )


def download_path(name: str, extension: str) -> str:
    """The address of a whole download, without parameters."""
    path = DOWNLOAD.format(dataset=name, extension=extension)
    return ALIAS + path if path == OPENAPI else path


def _listed_json(item: Listed) -> dict[str, Any]:
    return _known(
        {
            "name": item.name,
            "title": item.words.title,
            "rows": item.rows,
            "bytes": item.size,
            "modified": item.modified and item.modified.isoformat(),
            "licence": item.words.licence,
            "geometry": _geometry_json(item.geometry),
            "problem": item.problem,
            "links": {"self": DESCRIPTION.format(dataset=item.name)},
        }
    )


def _column_json(column: ColumnDescription, offered: Offer) -> dict[str, Any]:
    figures, profile = column.figures, offered.description.profile
    looked = profile.columns.get(column.name) if profile else None
    found = column_json(looked) if looked else {}
    nulls = found.pop("nulls", None)
    if figures.nulls is not None or (profile and profile.is_sample):
        nulls = figures.nulls
    names = offered.labels.get(column.name, {})
    for frequent in found.get("top", ()):
        if name := names.get(str(frequent["value"])):
            frequent["label"] = name
    # Its name may be empty, and its least value 0, false or empty.
    described = {"type": column.kind, "description": column.description, "parameter": column.parameter}
    bounds = {"nulls": nulls, "min": figures.low, "max": figures.high}
    return {
        "name": column.name,
        **_known(described),
        **{name: value for name, value in bounds.items() if value is not None},
        **found,
    }


def _profile_json(profile: Profile | None) -> dict[str, Any] | None:
    return {"rows": profile.rows, "sample": profile.is_sample} if profile else None


def _geometry_json(geometry: Geometry | None) -> dict[str, Any] | None:
    if geometry is None:
        return None
    known = {name: getattr(geometry, name) for name in ("types", "crs", "bbox", "extent")}
    return {"column": geometry.column, **_known(known)}


def _format_json(dataset: Dataset, item: OfferedFormat) -> dict[str, Any]:
    row = item.format
    sized = {} if item.size is None else {"bytes": item.size, "exact": item.is_exact}
    return {
        "extension": row.extension,
        "media_type": row.media_type,
        "use": row.use,
        "url": download_path(dataset.name, row.extension),
        **sized,
        **_known({"problem": item.problem}),
    }


def _known(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "", [], {}, ())}
