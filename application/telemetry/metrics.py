"""Prometheus metrics of one application, in a registry of its own; right over several workers, too."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from application.telemetry.facts import RequestFacts
from application.telemetry.shared import FOLDER_VARIABLE, all_processes

if TYPE_CHECKING:
    pass

PREFIX = "download_lambda"
# 5 ms, from a kept result, to the 300 s of a slow client.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
SAMPLE_SECONDS = 1.0
GAUGES = {
    "productions_running": "Results that are being made.",
    "productions_queued": "Results that wait for a place to be made.",
    "tapes": "Results in the spool, those being made and those kept.",
    "tape_bytes": "Bytes that the spool holds.",
    "resident_bytes": "Memory of the process.",
}
COUNTERS = {
    "engine_replacements": "Databases that were spoiled and replaced.",
    "exports": "Exports begun.",
    "export_failures": "Exports that failed.",
}


class Metrics:
    """Counts requests, and takes readings of the service when it is asked for its page.

    Where PROMETHEUS_MULTIPROC_DIR is set, values lie in files of that folder, and the page adds up all
    processes that share it. It must be set before prometheus_client is imported, which is here.
    """

    def __init__(self, version: str) -> None:
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            disable_created_metrics,
        )

        # A time for each series, which would double their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._folder = os.environ.get(FOLDER_VARIABLE)
        self._seen = dict.fromkeys(COUNTERS, 0.0)
        self._lock = threading.Lock()

        def counter(name: str, shows: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", shows, labels, registry=registry)

        def gauge(name: str, shows: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", shows, registry=registry, multiprocess_mode="livesum")

        def histogram(name: str, shows: str, *labels: str) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", shows, labels, registry=registry, buckets=SECONDS)

        self._requests = counter(
            "requests", "Requests that have ended.", "resource", "format", "outcome", "status"
        )
        self._bytes = counter("bytes", "Bytes of bodies sent.", "resource", "format", "outcome")
        self._rows = counter("rows", "Rows of the results sent whole.", "format")
        self._results = counter("results", "Downloads begun, by where their bytes came from.", "source")
        self._errors = counter("errors", "Requests answered 5xx or broken off, by problem code.", "code")
        self._first_byte = histogram("first_byte_seconds", "From request to headers.", "resource")
        self._duration = histogram("duration_seconds", "From request to end.", "resource", "outcome")
        self._running = gauge("requests_running", "Requests that are being answered.")
        self._gauges = {name: gauge(name, shows) for name, shows in GAUGES.items()}
        self._counters = {name: counter(name, shows) for name, shows in COUNTERS.items()}
        Gauge(
            f"{PREFIX}_info",
            "The version that runs.",
            ("version",),
            registry=registry,
            multiprocess_mode="livemax",
        ).labels(version).set(1)

    @property
    def is_shared(self) -> bool:
        """True where several processes add up to one page."""
        return self._folder is not None

    def begin(self) -> None:
        """A request has come."""
        self._running.inc()

    def end(self, facts: RequestFacts) -> None:
        """A request has ended."""
        form = facts.format or "none"
        status = f"{facts.status // 100}xx" if facts.status else "none"
        self._running.dec()
        self._requests.labels(facts.resource, form, facts.outcome, status).inc()
        self._bytes.labels(facts.resource, form, facts.outcome).inc(facts.bytes)
        self._duration.labels(facts.resource, facts.outcome).observe(facts.duration)
        if facts.first_byte is not None:
            self._first_byte.labels(facts.resource).observe(facts.first_byte)
        if facts.rows is not None:
            self._rows.labels(form).inc(facts.rows)
        if facts.source is not None:
            self._results.labels(facts.source).inc()
        if facts.is_failure:
            self._errors.labels(facts.code or "internal").inc()

    def sample(self, readings: Mapping[str, float]) -> None:
        """Take readings of the service: gauges as they are, counters as their totals so far."""
        for name, gauge in self._gauges.items():
            if name in readings:
                gauge.set(readings[name])
        with self._lock:
            for name, counter in self._counters.items():
                if (total := readings.get(name, 0.0)) > self._seen[name]:
                    counter.inc(total - self._seen[name])
                    self._seen[name] = total

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page in the exposition format that the client accepts, and its media type."""
        from prometheus_client.exposition import choose_encoder

        encode, media_type = choose_encoder(accept)
        return encode(all_processes(self._folder) if self._folder else self._registry), media_type


class Sampler:
    """Takes readings all the time: another worker's page shows ours only as they were last taken."""

    def __init__(self, sample: Callable[[], None]) -> None:
        self._sample = sample
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._sample()
