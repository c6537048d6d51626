"""Log lines: one a record, as text or JSON, on standard error, without secrets; uvicorn's own alike."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from application.telemetry import logger
from application.telemetry.facts import RequestFacts
from application.telemetry.redaction import hide_environment, redact

# What every record has; all else was given as `extra` and is a field. uvicorn adds a coloured message.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_BARE = re.compile(r"[\w./:@,+*%-]+", re.ASCII)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the record's fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({**_head(record), "logger": record.name, **_fields(record)}, default=str)


class TextFormatter(logging.Formatter):
    """Time, level and message, then the record's fields as `name=value`; line ends are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        head = _head(record)
        message = head["message"]
        shown = [head["time"], head["level"], message if message.isprintable() else json.dumps(message)]
        return " ".join([*shown, *(f"{name}={_value(value)}" for name, value in _fields(record).items())])


FORMATTERS: dict[str, type[logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}


class StandardError(logging.Handler):
    """Writes to whatever standard error is at the moment, which tests and servers replace."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream: TextIO = sys.stderr
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001 - a download is not to fail because nobody reads the log
            self.handleError(record)


def configure_logging(level: str, form: str) -> None:
    """Send the service's lines, and those of a uvicorn with its own form, to standard error in one form."""
    hide_environment()
    handler = StandardError()
    handler.setFormatter(FORMATTERS[form]())
    logger.handlers[:] = [each for each in logger.handlers if not isinstance(each, StandardError)]
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        other = logging.getLogger(name)
        # Handlers that somebody chose stay as they are.
        if any(type(each.formatter).__module__ == "uvicorn.logging" for each in other.handlers):
            # Our access line replaces uvicorn's.
            other.handlers[:] = [] if name == "uvicorn.access" else [handler]


def uvicorn_log_config(form: str) -> dict[str, Any]:
    """The same for a uvicorn that we start, from its first line on, in each of its processes."""
    kind = FORMATTERS[form]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: {"()": f"{__name__}.{kind.__name__}"}},
        "handlers": {"stderr": {"class": f"{__name__}.StandardError", "formatter": form}},
        "loggers": {
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def log_request(facts: RequestFacts) -> None:
    """The access line; those of probes are for debugging only."""
    logger.log(logging.DEBUG if facts.is_probe else logging.INFO, "request", extra=facts.fields())


def _head(record: logging.LogRecord) -> dict[str, str]:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {
        "time": time.replace("+00:00", "Z"),
        "level": record.levelname,
        "message": redact(record.getMessage()).rstrip(),
    }


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that have a value, and the traceback."""
    fields = {
        name: _redacted(value)
        for name, value in vars(record).items()
        if name not in _OWN and value is not None
    }
    if record.exc_info:
        fields["traceback"] = redact(logging.Formatter().formatException(record.exc_info))
    return fields


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    shown = json.dumps(value, default=str, ensure_ascii=False)
    # JSON leaves some line ends, and half characters, as they are.
    return shown if shown.isprintable() else json.dumps(value, default=str)
