"""The page of all datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from application.api.pages import FRESH_SECONDS, addresses_of, page_response
from application.client.contract import CATALOGUE
from application.errors import ParameterProblem, QueryInvalid
from application.pages.catalogue import catalogue_page

if TYPE_CHECKING:
    from application.datasets.listing import Seen

Pairs = tuple[tuple[str, str], ...]
SEARCH = "q"


def show_catalogue(request: Request, seen: Seen, sent: Pairs) -> Response:
    """The page of the datasets that a search finds; raises QueryInvalid for what is no search."""
    unknown = [name for name, _ in sent if name != SEARCH]
    if unknown or len(sent) > 1:
        raise QueryInvalid([ParameterProblem((unknown or [SEARCH])[0], f"say {SEARCH!r} once, and no more")])
    search = sent[0][1].strip() if sent else ""
    page = catalogue_page(seen, search, addresses_of(request), CATALOGUE)
    return page_response(request, "catalogue.html", page, max_age=FRESH_SECONDS if seen.is_whole else 0)
