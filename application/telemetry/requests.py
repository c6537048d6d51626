"""What becomes of a request once it has ended: its log line, and its metrics where they are wanted."""

from collections.abc import Callable

from application import __version__
from application.telemetry.emf import write_metrics
from application.telemetry.facts import RequestFacts
from application.telemetry.logs import log_request
from application.telemetry.metrics import Metrics, Sampler, resident_bytes

PROMETHEUS, EMF = "prometheus", "emf"


class RequestObserver:
    """The log and the metrics of one application's requests.

    ``mode`` is the METRICS setting in force, ``function`` the name of the Lambda function that this is
    part of, ``readings`` those of the service as it is.
    """

    def __init__(
        self,
        mode: Callable[[], str],
        function: Callable[[], str | None],
        readings: Callable[[], dict[str, float]],
    ) -> None:
        self._mode = mode
        self._function = function
        self._readings = readings
        self._metrics: Metrics | None = None
        self._sampler: Sampler | None = None

    def start(self) -> None:
        """Begin a lifespan: where several workers share a page, readings are taken all the time."""
        metrics = self._wanted()
        if metrics and metrics.is_shared:
            self._sampler = Sampler(lambda: self._sample(metrics))

    def stop(self) -> None:
        """End a lifespan."""
        sampler, self._sampler = self._sampler, None
        if sampler:
            sampler.stop()

    def begin(self) -> None:
        """Count a request that begins."""
        if metrics := self._wanted():
            metrics.begin()

    def end(self, facts: RequestFacts) -> None:
        """Log and count a request that has ended."""
        log_request(facts)
        if metrics := self._wanted():
            metrics.end(facts)
        elif self._mode() == EMF and not facts.is_probe:
            write_metrics(facts, self._function())

    def page(self, accept: str) -> tuple[bytes, str] | None:
        """The metrics page and its media type, where the settings ask for it; reads files."""
        metrics = self._wanted()
        if metrics is None:
            return None
        self._sample(metrics)
        return metrics.page(accept)

    def _wanted(self) -> Metrics | None:
        """Made at first use, in the event loop or before it runs."""
        if self._mode() != PROMETHEUS:
            return None
        if self._metrics is None:
            self._metrics = Metrics(__version__)
        return self._metrics

    def _sample(self, metrics: Metrics) -> None:
        metrics.sample({**self._readings(), "resident_bytes": resident_bytes()})
