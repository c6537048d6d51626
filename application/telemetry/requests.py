"""What becomes of a request once it has ended: its log line, and its metrics where they are wanted."""

from collections.abc import Callable

from application import __version__
from application.telemetry.emf import write_metrics
from application.telemetry.facts import RequestFacts
from application.telemetry.logs import log_request
from application.telemetry.memory import resident_bytes
from application.telemetry.metrics import Metrics, Sampler

PROMETHEUS, EMF = "prometheus", "emf"


class RequestObserver:
    """The log and the metrics of one application's requests.

    ``readings`` are those of the service as it is; ``mode`` is the METRICS setting in force.
    """

    def __init__(self, readings: Callable[[], dict[str, float]]) -> None:
        self._readings = readings
        self._metrics: Metrics | None = None
        self._sampler: Sampler | None = None

    def start(self, mode: str) -> None:
        """Begin a lifespan: where several workers share a page, readings are taken all the time."""
        metrics = self._wanted(mode)
        if metrics and metrics.is_shared:
            self._sampler = Sampler(lambda: self._sample(metrics))

    def stop(self) -> None:
        """End a lifespan."""
        sampler, self._sampler = self._sampler, None
        if sampler:
            sampler.stop()

    def begin(self, mode: str) -> None:
        """Count a request that begins."""
        if metrics := self._wanted(mode):
            metrics.begin()

    def end(self, facts: RequestFacts, mode: str, function: str | None) -> None:
        """Log and count a request that has ended; ``function`` is the Lambda function that we are."""
        log_request(facts)
        if metrics := self._wanted(mode):
            metrics.end(facts)
        elif mode == EMF and not facts.is_probe:
            write_metrics(facts, function)

    def page(self, mode: str, accept: str) -> tuple[bytes, str] | None:
        """The metrics page and its media type, where the settings ask for it; reads files."""
        metrics = self._wanted(mode)
        if metrics is None:
            return None
        self._sample(metrics)
        return metrics.page(accept)

    def _wanted(self, mode: str) -> Metrics | None:
        """Made at first use, in the event loop or before it runs."""
        if mode != PROMETHEUS:
            return None
        if self._metrics is None:
            self._metrics = Metrics(__version__)
        return self._metrics

    def _sample(self, metrics: Metrics) -> None:
        metrics.sample({**self._readings(), "resident_bytes": resident_bytes()})
