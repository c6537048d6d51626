"""The page of what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Told(Protocol):
    """How a kind of problem is told: its title, and what a reader can do."""

    @property
    def status(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def advice(self) -> str: ...
    @property
    def retry(self) -> bool: ...


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
    problem: Told,
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
    if problem.status == 401:
        lines = ("Ask whoever runs it for one. It is sent in a header, with each request:",)
        code, way = f"curl --header '{key_header}: YOUR-KEY' '{address}'", ("", "")
    elif problem.retry:
        lines = (*lines, "Try again in a moment.")
        way = (address, "Try again")
    elif problem.status == 422:
        way = (address.partition("?")[0], "See the whole dataset")
    lines = (*lines, problem.advice) if problem.advice else lines
    shown = request_id if problem.status >= 500 else ""
    return ProblemPage(problem.title, lines, tuple(details), code, *way, shown)
