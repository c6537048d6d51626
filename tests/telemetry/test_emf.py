"""CloudWatch's lines are what its specification says."""

import json
from typing import Any

import jsonschema
import pytest

from application.telemetry.emf import NAMESPACE, UNITS, embedded_metrics, write_metrics
from application.telemetry.facts import RequestFacts

# After "Specification: Embedded metric format" in the CloudWatch user guide, read in November 2026.
_UNIT = (
    "Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Percent|Count|None"
)
_METRIC = {
    "type": "object",
    "required": ["Name"],
    "additionalProperties": False,
    "properties": {
        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
        "Unit": {"type": "string", "pattern": f"^({_UNIT})$"},
        "StorageResolution": {"enum": [1, 60]},
    },
}
_DIMENSION_SET = {
    "type": "array",
    "maxItems": 30,
    "items": {"type": "string", "minLength": 1, "maxLength": 250},
}
_DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
        "Dimensions": {"type": "array", "minItems": 1, "items": _DIMENSION_SET},
        "Metrics": {"type": "array", "maxItems": 100, "items": _METRIC},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "items": _DIRECTIVE},
            },
        }
    },
}


def check(line: dict[str, Any]) -> None:
    """The schema, and what the specification says in words: targets are members of the right kind."""
    jsonschema.validate(line, SCHEMA)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            assert isinstance(line[metric["Name"]], int | float)
        for name in (name for names in directive["Dimensions"] for name in names):
            assert isinstance(line[name], str)


def facts(**known: Any) -> RequestFacts:
    return RequestFacts(request_id="0123456789", resource="download", **known)


@pytest.mark.parametrize("function", ["a-function", None])
def test_every_line_fits_the_specification(function: str | None) -> None:
    whole = facts(status=200, outcome="complete", bytes=12, first_byte=0.25, duration=1.5)
    for each in (whole, facts(outcome="cancelled", duration=0.1), facts(status=500, outcome="refused")):
        check(embedded_metrics(each, function))


def test_a_line_has_what_happened() -> None:
    line = embedded_metrics(
        facts(status=200, outcome="complete", bytes=12, first_byte=0.25, duration=1.5), "f"
    )
    shown = {name: line[name] for name in UNITS}
    assert shown == {
        "Requests": 1,
        "Errors": 0,
        "Aborted": 0,
        "Bytes": 12,
        "FirstByte": 250.0,
        "Duration": 1500.0,
    }
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert directive["Dimensions"] == [[], ["FunctionName"]]
    assert line["FunctionName"] == "f"


@pytest.mark.parametrize(
    ("known", "errors", "aborted"),
    [
        ({"status": 200, "outcome": "aborted"}, 1, 1),
        ({"status": 503, "outcome": "refused"}, 1, 0),
        ({"status": 503, "outcome": "refused", "is_pending": True}, 0, 0),
        ({"status": 404, "outcome": "refused"}, 0, 0),
        ({"status": 200, "outcome": "cancelled"}, 0, 0),
    ],
)
def test_errors_are_those_of_ours(known: dict[str, Any], errors: int, aborted: int) -> None:
    line = embedded_metrics(facts(**known), None)
    assert (line["Errors"], line["Aborted"]) == (errors, aborted)


def test_a_line_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_metrics(facts(status=200, outcome="complete"), "f")
    (line,) = capsys.readouterr().out.splitlines()
    check(json.loads(line))
