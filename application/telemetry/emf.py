"""CloudWatch's embedded metric format: JSON lines on standard output, which CloudWatch makes metrics of."""

import json
import sys
import time
from typing import Any

from application.telemetry.facts import ABORTED, RequestFacts

NAMESPACE = "download-lambda"
UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "Aborted": "Count",
    "Bytes": "Bytes",
    "FirstByte": "Milliseconds",
    "Duration": "Milliseconds",
}


def write_metrics(facts: RequestFacts, function: str | None) -> None:
    """Write one request's line."""
    sys.stdout.write(json.dumps(embedded_metrics(facts, function)) + "\n")
    sys.stdout.flush()


def embedded_metrics(facts: RequestFacts, function: str | None) -> dict[str, Any]:
    """One request's metrics, for all functions together and, where its name is known, for this one."""
    values = {
        "Requests": 1,
        "Errors": int(facts.is_failure),
        "Aborted": int(facts.outcome == ABORTED),
        "Bytes": facts.bytes,
        "Duration": round(facts.duration * 1000, 3),
    }
    if facts.first_byte is not None:
        values["FirstByte"] = round(facts.first_byte * 1000, 3)
    metrics = [{"Name": name, "Unit": UNITS[name]} for name in values]
    dimensions = {"FunctionName": function} if function else {}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[], list(dimensions)] if dimensions else [[]],
        "Metrics": metrics,
    }
    found = {"request_id": facts.request_id, "outcome": facts.outcome, "resource": facts.resource}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        **dimensions,
        **values,
        **found,
    }
