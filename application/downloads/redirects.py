"""Where a client is sent instead of an answer: to the stored object itself, or to an export."""

from application.downloads.exports import Exports
from application.downloads.limits import Limits
from application.downloads.plan import Plan, Request
from application.storage.base import Storage


class Redirects:
    """Signed addresses of stored objects for ``native_seconds``, 0 for none, and of exports, if there are."""

    def __init__(self, storage: Storage, native_seconds: int, exports: Exports | None) -> None:
        self._storage = storage
        self._native_seconds = native_seconds
        self._exports = exports

    def may_find(self, plan: Plan, limits: Limits | None) -> bool:
        """False where no address is looked for; asks nobody."""
        return self._is_native(plan) or self._is_export(plan, limits)

    def find(self, plan: Plan) -> str | None:
        """An address that is there already, or None; asks storage.

        Raises ExportPending while the result is being exported, and ExportFailed.
        """
        if self._is_native(plan):
            return self._storage.presign(plan.dataset.objects[0].path, self._native_seconds)
        # Whoever asks again while it is made, or after, makes nothing anew.
        return self._exports.find(plan) if self._exports else None

    def instead(self, request: Request, plan: Plan) -> str | None:
        """An address of what is too large for an answer, or None where nothing is exported.

        Begins the export where it is not there, and raises as ``find``.
        """
        return self._exports.url(request, plan) if self._exports else None

    def _is_native(self, plan: Plan) -> bool:
        return plan.is_native and self._native_seconds > 0

    def _is_export(self, plan: Plan, limits: Limits | None) -> bool:
        return self._exports is not None and limits is not None and plan.may_exceed(limits.most_bytes)
