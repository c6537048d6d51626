"""Answers as OpenAPI has them, from the tables of formats, problems and header fields."""

from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from application.api.openapi.headers import headers_of
from application.api.problems import INTERNAL, MEDIA_TYPE, PROBLEMS
from application.formats import Format

# What no row of the table of problems is, by status.
OTHERS = {404: "not-found", 405: "method-not-allowed", 500: INTERNAL}
# What a resource of JSON says of its version.
JSON_HEADERS = ("ETag", "Last-Modified")
# The same of one whose version is that of its text.
TEXT_HEADERS = ("ETag", "Link")
ELSEWHERE = "It is elsewhere: the stored object, or an export of what is too large"


def codes() -> dict[int, list[str]]:
    """The codes of all problems, by status."""
    found: dict[int, list[str]] = defaultdict(list)
    for problem in PROBLEMS.values():
        found[problem.status].append(problem.code)
    for status, code in OTHERS.items():
        found[status].append(code)
    return {status: sorted(found[status]) for status in sorted(found)}


def problem_schema() -> dict[str, Any]:
    """A problem (RFC 9457)."""
    text = {"type": "string"}
    known = sorted(code for of_status in codes().values() for code in of_status)
    members = {"type": text, "title": text, "status": {"type": "integer"}, "detail": text}
    told = {"parameter": text, "detail": text}
    return {
        "type": "object",
        "required": [*members, "code", "request_id"],
        "properties": {
            **members,
            "code": {"type": "string", "enum": known},
            "request_id": text,
            "errors": {
                "type": "array",
                "items": {"type": "object", "required": list(told), "properties": told},
            },
        },
    }


def problem_components() -> dict[str, Any]:
    """The problems of each status; which one it is, its code says."""
    return {
        f"problem-{status}": {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in known)}",
            "headers": headers_of(status),
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Problem"},
                            {"properties": {"code": {"enum": known}}},
                        ]
                    }
                }
            },
        }
        for status, known in codes().items()
    }


def download_answers(formats: Sequence[Format], method: str) -> dict[str, Any]:
    """What a download may be answered with, by status."""
    content = {row.media_type: {"schema": _body(row)} for row in formats}
    body = {} if method == "head" else {"content": content}
    answers = {"200": {"description": "All rows, in the format", "headers": headers_of(200), **body}}
    if method == "get":
        words = "The range of it that was asked for"
        answers["206"] = {"description": words, "headers": headers_of(206), **body}
    if method == "post":
        answers["303"] = _redirect(303)
    else:
        answers["304"] = {"description": "What the client has is still it", "headers": headers_of(304)}
        answers["307"] = _redirect(307)
    return {**answers, **_problems(415 if method != "post" else 0)}


def json_answers(words: str, schema: dict[str, Any], names: Sequence[str] = JSON_HEADERS) -> dict[str, Any]:
    """What a resource of JSON may be answered with, by status; ``names`` are the fields of its version."""
    content = {"application/json": {"schema": schema}}
    answers: dict[str, Any] = {
        "200": {"description": words, "headers": headers_of(200, names), "content": content}
    }
    if names:
        words = "What the client has is still it"
        answers["304"] = {"description": words, "headers": headers_of(304, names)}
    return {**answers, **_problems(415)}


def _problems(without: int) -> dict[str, Any]:
    return {
        str(status): {"$ref": f"#/components/responses/problem-{status}"}
        for status in codes()
        if status != without
    }


def _redirect(status: int) -> dict[str, Any]:
    schema = {"type": "object", "required": ["location"], "properties": {"location": {"type": "string"}}}
    return {
        "description": ELSEWHERE,
        "headers": headers_of(status),
        "content": {"application/json": {"schema": schema}},
    }


def _body(row: Format) -> dict[str, Any]:
    if row.media_type == "application/json":
        return {"type": "array", "items": {"type": "object"}}
    return {"type": "string"} if row.codable else {"type": "string", "format": "binary"}
