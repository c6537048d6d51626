"""OpenTelemetry traces: active where the standard variables ask for them and the extra is installed."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from application.telemetry import logger

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

SERVICE = "download-lambda"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_tracer: "Tracer | None" = None
_provider: "TracerProvider | None" = None


class Span(Protocol):
    """One piece of work, to which facts can be added."""

    def set_attribute(self, name: str, value: Any) -> object:
        """Add a fact."""


class _NoSpan:
    def set_attribute(self, name: str, value: Any) -> None:
        """Nobody looks."""


_NO_SPAN = _NoSpan()


def is_wanted(environment: Mapping[str, str]) -> bool:
    """True where the standard variables ask for traces by OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER")
    if exporters:
        return "otlp" in [name.strip() for name in exporters.split(",")]
    return any(environment.get(name) for name in _ENDPOINTS)


def start_tracing(version: str) -> bool:
    """Begin to send traces if they are wanted; True where they are sent."""
    global _tracer, _provider  # noqa: PLW0603 - the variables are the process's, so are its traces
    if _tracer is not None:
        return True
    if not is_wanted(os.environ):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("traces: OTEL_* variables ask for them; pip install 'download-lambda[otel]' is needed")
        return False
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": SERVICE}
    # Not the global provider: an application that we are part of may have one.
    _provider = TracerProvider(resource=Resource.create({**named, "service.version": version}))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer(SERVICE, version)
    return True


def stop_tracing() -> None:
    """Send what is left and end."""
    global _tracer, _provider
    provider, _tracer, _provider = _provider, None, None
    if provider is not None:
        provider.shutdown()


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Span]:
    """A span within the one that is open in this context; free where no traces are sent."""
    if _tracer is None:
        yield _NO_SPAN
        return
    with _opened(name, attributes) as opened:
        yield opened


@contextmanager
def request_span(name: str, headers: Iterable[tuple[bytes, bytes]], **attributes: Any) -> Iterator[Span]:
    """The span of a request, within the client's own where a `traceparent` header names it."""
    if _tracer is None:
        yield _NO_SPAN
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {key.decode("latin-1"): value.decode("latin-1") for key, value in headers}
    context = TraceContextTextMapPropagator().extract(carrier)
    with _opened(name, attributes, context=context, kind=SpanKind.SERVER) as opened:
        yield opened


def trace_id() -> str | None:
    """The id of the trace that is open in this context, for the log."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    found = get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


@contextmanager
def _opened(name: str, attributes: Mapping[str, Any], **options: Any) -> Iterator[Span]:
    from opentelemetry.trace import Status, StatusCode

    assert _tracer is not None  # noqa: S101 - asked for only then
    given = {key.replace("_", "."): value for key, value in attributes.items() if value is not None}
    # The exception's text may hold what must not leave: only its kind is told.
    with _tracer.start_as_current_span(
        name, attributes=given, record_exception=False, set_status_on_exception=False, **options
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(Status(StatusCode.ERROR))
            raise
