"""The page of what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

TITLES = {
    401: "This service asks for a key",
    404: "There is nothing here",
    405: "This is not possible here",
    413: "This is too large",
    422: "This address is not understood",
    429: "Too many requests",
    503: "Not now",
}
FAILED = "Something went wrong here"


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """What went wrong, in one line or several, and where to go on; ``code`` is for a terminal."""

    title: str
    lines: tuple[str, ...]
    details: tuple[str, ...]
    code: str
    way: str
    way_words: str
    request_id: str


def problem_page(
    status: int,
    detail: str,
    details: Sequence[str],
    *,
    root: str,
    address: str,
    key_header: str,
    request_id: str,
) -> ProblemPage:
    """The page of a problem at an address; its details, if there are any, say more than the one line."""
    lines, code, way = (() if details else (detail,)), "", (f"{root}/", "See all datasets")
    if status == 401:
        lines = ("Ask whoever runs it for one. It is sent in a header, with each request:",)
        code, way = f"curl --header '{key_header}: YOUR-KEY' '{address}'", ("", "")
    elif status in {429, 503}:
        lines = (*lines, "Try again in a moment.")
        way = (address, "Try again")
    elif status == 422:
        way = (address.partition("?")[0], "See the whole dataset")
    shown = request_id if status >= 500 else ""
    return ProblemPage(TITLES.get(status, FAILED), lines, tuple(details), code, *way, shown)
