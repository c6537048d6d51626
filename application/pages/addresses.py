"""Where things are: paths of pages and downloads, with the parameters of a query."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

# Their own paths are something else, or may be.
FIXED = frozenset({"datasets", "dataset", "docs", "redoc", "health", "ready", "metrics", "events"})
UNDER_ALIAS = "/dataset"

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Paths of one service, and addresses: ``origin`` is `https://host`, ``root`` goes before each path."""

    origin: str
    root: str = ""

    def page(self, dataset: str, pairs: Pairs = ()) -> str:
        """The path of a dataset's page."""
        return self.root + page_path(dataset) + search(pairs)

    def download(self, dataset: str, extension: str, pairs: Pairs = ()) -> str:
        """The path of a download."""
        name = f"/{dataset}.{extension}"
        # The one address of that form that may be no download.
        under = UNDER_ALIAS if name == "/openapi.json" else ""
        return f"{self.root}{under}{name}{search(pairs)}"

    def beside(self, dataset: str, what: str, pairs: Pairs = ()) -> str:
        """The path of something about a dataset."""
        return f"{self.root}/datasets/{dataset}/{what}{search(pairs)}"

    def absolute(self, path: str) -> str:
        """The address of a path."""
        return self.origin + path


def page_path(dataset: str) -> str:
    """Where a dataset's page is."""
    return f"{UNDER_ALIAS}/{dataset}" if dataset in FIXED else f"/{dataset}"


def search(pairs: Pairs) -> str:
    """Parameters as they follow a path."""
    text = urlencode(tuple(pairs), quote_via=quote, safe="")
    return f"?{text}" if text else ""
