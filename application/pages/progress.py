"""The page of a result that takes long: how far it is, then where it is."""

from dataclasses import dataclass

from application.downloads.status import Status
from application.formats.compression import IDENTITY
from application.pages import figures
from application.pages.words import format_name


@dataclass(frozen=True, slots=True)
class ProgressPage:
    """How far a download is; ``done`` of ``all`` rows where both are known, ``path`` is where it will be."""

    title: str
    name: str
    state: str
    words: str
    done: int | None
    all: int | None
    size: str
    path: str
    back: str
    problem: str


def progress_page(status: Status, title: str, path: str, back: str, *, is_kept: bool) -> ProgressPage:
    """The page of a status; where a result is not kept, it is made while it is sent."""
    state = status.state if is_kept or status.state == "ready" else "unkept"
    made = [figures.count(status.rows, "row")] if status.rows is not None else []
    made += [figures.size(status.size)] if status.size is not None else []
    words = f"{' · '.join(made)} so far" if made and state == "making" else ""
    is_measured = state == "making" and status.rows is not None and status.rows_in_all
    # What is coded arrives as another size.
    is_exact = state == "ready" and status.plan.coding == IDENTITY
    return ProgressPage(
        title,
        format_name(status.plan.format.extension),
        state,
        words,
        status.rows if is_measured else None,
        status.rows_in_all if is_measured else None,
        figures.size(status.size) if is_exact and status.size is not None else "",
        path,
        back,
        status.failure,
    )
