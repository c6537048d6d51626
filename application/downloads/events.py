"""The events that ask for exports, here or on another machine."""

from collections.abc import Mapping
from typing import Any

from application.downloads.plan import Request
from application.formats.compression import CODINGS, IDENTITY


def event_of(request: Request) -> dict[str, Any]:
    """The event that asks for the export of a request."""
    return {
        "export": {
            "dataset": request.name,
            "extension": request.extension,
            "parameters": [list(pair) for pair in request.parameters],
            "coding": request.coding,
        }
    }


def request_of(event: Mapping[str, Any]) -> Request:
    """The request whose export an event asks for; raises ValueError for another event."""
    try:
        asked = event["export"]
        pairs = tuple((str(name), str(value)) for name, value in asked["parameters"])
        request = Request(str(asked["dataset"]), str(asked["extension"]), pairs, str(asked["coding"]))
    except (KeyError, TypeError, ValueError):
        raise ValueError("this is no event of ours") from None
    if request.coding != IDENTITY and request.coding not in CODINGS:
        raise ValueError(f"there is no coding {request.coding!r}")
    return request
