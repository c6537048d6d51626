"""Where a client is sent instead of an answer: to the stored object itself, or to an export."""

from application.downloads.exports import Exports
from application.downloads.plan import Plan, Request
from application.downloads.terms import Terms
from application.storage.base import Storage


class Redirects:
    """Signed addresses of stored objects for ``native_seconds``, 0 for none, and of exports, if there are."""

    def __init__(self, storage: Storage, native_seconds: int, exports: Exports | None) -> None:
        self._storage = storage
        self._native_seconds = native_seconds
        self._exports = exports

    @property
    def has_exports(self) -> bool:
        """True where what no answer can carry is exported."""
        return self._exports is not None

    def has_parts(self, terms: Terms) -> bool:
        """True where whoever asks for parts of a result is sent to its export, whatever its size.

        Where answers are limited, each part may be asked of a machine that has not made it.
        """
        return self.has_exports and terms.most_bytes is not None

    def may_find(self, plan: Plan, terms: Terms) -> bool:
        """False where no address is looked for; asks nobody."""
        return self._is_native(plan, terms) or (self.has_exports and plan.may_exceed(terms.most_bytes))

    def find(self, plan: Plan, terms: Terms) -> str | None:
        """An address that is there already, or None; asks storage.

        Raises ExportPending while the result is being exported, and ExportFailed.
        """
        if self._is_native(plan, terms):
            return self._storage.presign(plan.dataset.objects[0].path, self._native_seconds)
        # Whoever asks again while it is made, or after, makes nothing anew.
        return self._exports.find(plan, terms.method) if self._exports else None

    def instead(self, request: Request, plan: Plan, terms: Terms) -> str | None:
        """An address of what is too large for an answer, or None where nothing is exported.

        Begins the export where it is not there, and raises as ``find``.
        """
        return self._exports.url(request, plan, terms.method) if self._exports else None

    def _is_native(self, plan: Plan, terms: Terms) -> bool:
        """HEAD is answered here: an address is signed for one method."""
        return plan.is_native and self._native_seconds > 0 and not terms.is_head
