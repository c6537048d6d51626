"""How far a result is, without making it: absent, making, ready or failed."""

from dataclasses import dataclass, replace
from typing import Any

from application.downloads.downloads import Downloads
from application.downloads.estimates import Estimates
from application.downloads.exports import Exports
from application.downloads.plan import Plan, Request
from application.errors import ExportFailed, ExportPending
from application.formats.compression import CODINGS, IDENTITY
from application.production.productions import Productions
from application.production.progress import Progress

ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a plan's result: bytes and rows made so far, and all rows; None where not known."""

    plan: Plan
    state: str = ABSENT
    size: int | None = None
    rows: int | None = None
    rows_in_all: int | None = None
    failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """The status as docs/api.md has it; what is not known is left out."""
        plan = self.plan
        known = {
            "coding": "" if plan.coding == IDENTITY else plan.coding,
            "rows": self.rows,
            "bytes": self.size,
            "rows_in_all": self.rows_in_all,
            "problem": self.failure,
        }
        return {
            "dataset": plan.dataset.name,
            "format": plan.format.extension,
            "e_tag": f'"{plan.e_tag}"',
            "state": self.state,
            **{name: value for name, value in known.items() if value not in (None, "")},
        }


class Statuses:
    """Finds out how far results are; makes nothing."""

    def __init__(
        self,
        downloads: Downloads,
        productions: Productions,
        estimates: Estimates,
        exports: Exports | None,
    ) -> None:
        self._downloads = downloads
        self._productions = productions
        self._estimates = estimates
        self._exports = exports

    def of(self, request: Request, plan: Plan) -> Status:
        """The status of a planned download, in the coding in which it is made; may wait for storage."""
        rows = self._estimates.known_rows(plan)
        if plan.is_native:
            size, all_rows = plan.dataset.size, plan.dataset.rows
            return Status(plan, "ready", size, all_rows, all_rows)
        found = [(each, self._productions.progress(each.e_tag)) for each in self._codings(request, plan)]
        known = [(each, progress) for each, progress in found if progress]
        if known:
            # What goes on, or is there, says more than what failed once.
            each, progress = min(known, key=lambda item: item[1].state == "failed")
            return _status(each, progress, rows)
        return self._exported(plan, rows)

    def _codings(self, request: Request, plan: Plan) -> list[Plan]:
        if not plan.format.codable:
            return [plan]
        fit = self._downloads.fit
        codings = (replace(request, coding=coding) for coding in (IDENTITY, *CODINGS))
        located = self._downloads.locate(request)
        return [fit(coded, plan.dataset, plan.format, located) for coded in codings]

    def _exported(self, plan: Plan, rows: int | None) -> Status:
        try:
            url = self._exports.find(plan, "HEAD") if self._exports else None
        except ExportPending:
            return Status(plan, "making", rows_in_all=rows)
        except ExportFailed as error:
            return Status(plan, "failed", rows_in_all=rows, failure=str(error))
        return Status(plan, "ready" if url else ABSENT, rows_in_all=rows)


def _status(plan: Plan, progress: Progress, rows: int | None) -> Status:
    in_all = progress.rows if progress.state == "ready" else rows
    return Status(plan, progress.state, progress.size, progress.rows, in_all, progress.failure)
