"""What is known of one request: who learns a fact writes it down here; log and metrics read it at the end."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

# How a request ended.
COMPLETE = "complete"
NOT_MODIFIED = "not-modified"
REFUSED = "refused"
CANCELLED = "cancelled"
ABORTED = "aborted"

# What is shown of a path, which a client may make as long as it likes.
LONGEST_PATH = 200
# Handlers that only say how the service is.
PROBES = frozenset({"health", "ready", "metrics"})
_STATE = "facts"


@dataclass(slots=True)
class RequestFacts:
    """One request, as far as it has come; times in seconds since it began."""

    request_id: str = ""
    method: str = ""
    path: str = ""
    client: str | None = None
    resource: str = "none"  # the handler's name: a bounded set, as the formats are
    dataset: str | None = None
    format: str | None = None
    coding: str | None = None
    filters: tuple[str, ...] = ()
    source: str | None = None
    status: int | None = None
    outcome: str = ABORTED
    e_tag: str | None = None
    code: str | None = None  # of the problem, or of what broke the response off
    is_pending: bool = False  # refused for now, for what was asked for is being made
    rows: int | None = None
    bytes: int = 0
    first_byte: float | None = None
    duration: float = 0.0
    trace_id: str | None = None

    @property
    def is_probe(self) -> bool:
        """True for what machines ask every few seconds, as long as all is well."""
        return self.resource in PROBES and not self.is_failure

    @property
    def is_failure(self) -> bool:
        """True where the fault is ours: a 5xx, or a response that broke off; not that an export is made."""
        is_refusal = self.outcome == REFUSED and not self.is_pending
        return self.outcome == ABORTED or (is_refusal and (self.status or 500) >= 500)

    def fields(self) -> dict[str, Any]:
        """The access line."""
        return {
            "request_id": self.request_id,
            "client": self.client,
            "method": self.method,
            "path": self.path,
            "resource": self.resource,
            "dataset": self.dataset,
            "format": self.format,
            "coding": self.coding,
            "filters": self.filters or None,
            "status": self.status,
            "outcome": self.outcome,
            "code": self.code,
            "source": self.source,
            "rows": self.rows,
            "bytes": self.bytes,
            "e_tag": self.e_tag,
            "first_byte": None if self.first_byte is None else round(self.first_byte, 6),
            "duration": round(self.duration, 6),
            "trace_id": self.trace_id,
        }

    def attributes(self) -> dict[str, Any]:
        """The same for a span, named as OpenTelemetry names what it knows."""
        known = {
            "client.address": self.client,
            "http.response.status_code": self.status,
            "http.response.body.size": self.bytes,
            "error.type": self.code,
            "download.request_id": self.request_id,
            "download.dataset": self.dataset,
            "download.format": self.format,
            "download.outcome": self.outcome,
            "download.source": self.source,
            "download.rows": self.rows,
        }
        return {name: value for name, value in known.items() if value is not None}


def facts_of(scope: MutableMapping[str, Any]) -> RequestFacts:
    """What is known of the request of this ASGI scope."""
    state = scope.setdefault("state", {})
    found: RequestFacts = state.setdefault(_STATE, RequestFacts())
    return found
