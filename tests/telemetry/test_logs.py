"""The form of a line: one a record, whatever is in it."""

import io
import json
import logging
import sys

import pytest

from application.telemetry.logs import FORMATTERS, StandardError, configure_logging
from application.telemetry.redaction import HIDDEN

FORMS = list(FORMATTERS)


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("download", logging.INFO, __file__, 1, message, (), None)
    vars(made).update(fields)
    return made


def failure(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError:
        return logging.LogRecord("download", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("odd", ["a\nb", "a\rb", "a\x85b", "a\u2028b", "\x1b[31m", "a\x00b", "\ud800"])
def test_a_record_is_one_line_of_printable_text(form: str, odd: str) -> None:
    for made in (record(odd), record("x", path=odd), record("x", filters=(odd,)), failure(odd)):
        line = FORMATTERS[form]().format(made)
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        line.encode()


def test_a_json_line_has_every_field_as_it_was() -> None:
    made = record("request", status=200, filters=("a__exact=é\n",), first_byte=0.25, rows=None)
    found = json.loads(FORMATTERS["json"]().format(made))
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "INFO",
        "message": "request",
        "logger": "download",
        "status": 200,
        "filters": ["a__exact=é\n"],
        "first_byte": 0.25,
    }


def test_a_text_line_names_its_fields() -> None:
    made = record("request", status=200, path="/a b.csv", coding="gzip", rows=None)
    line = FORMATTERS["text"]().format(made)
    assert line.split(" ", 1)[1] == 'INFO request status=200 path="/a b.csv" coding=gzip'


@pytest.mark.parametrize("form", FORMS)
def test_a_traceback_is_a_field_without_secrets(form: str) -> None:
    line = FORMATTERS[form]().format(failure("GET /x?X-Amz-Signature=0a1b2c3d failed"))
    assert "Traceback (most recent call last)" in line
    assert "test_logs.py" in line
    assert "0a1b2c3d" not in line
    assert f"X-Amz-Signature={HIDDEN} failed" in line


@pytest.mark.parametrize("form", FORMS)
def test_message_and_fields_have_no_secrets(form: str) -> None:
    made = record("see http://u:pw-pw-pw@host/", path="/x?token=abcabc", filters=("x-api-key: abcabc",))
    line = FORMATTERS[form]().format(made)
    assert "pw-pw-pw" not in line
    assert "abcabc" not in line


def test_a_closed_standard_error_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = StandardError()
    handler.setFormatter(FORMATTERS["text"]())
    handler.handle(record("x"))


def test_handlers_that_somebody_chose_for_uvicorn_stay(capsys: pytest.CaptureFixture[str]) -> None:
    chosen, uvicorn = logging.NullHandler(), logging.getLogger("uvicorn")
    before = uvicorn.handlers[:]
    try:
        uvicorn.handlers[:] = [chosen]
        configure_logging("ERROR", "json")
        assert uvicorn.handlers == [chosen]
    finally:
        uvicorn.handlers[:] = before
