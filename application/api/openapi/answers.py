"""Answers and headers as OpenAPI has them, from the tables of formats and problems."""

from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from application.api.problems import INTERNAL, MEDIA_TYPE, PROBLEMS
from application.formats import Format
from application.formats.compression import CODINGS

# What no row of the table of problems is, by status.
OTHERS = {404: "not-found", 405: "method-not-allowed", 500: INTERNAL}
HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ETag": ("strong, of all that decides the bytes", {"type": "string"}),
    "Last-Modified": ("when the newest stored part was written", {"type": "string"}),
    "Cache-Control": ("how long it may be kept", {"type": "string"}),
    "Vary": ("what else the answer depends on", {"type": "string"}),
    "Content-Disposition": ("the name to save it under", {"type": "string"}),
    "Content-Encoding": ("the coding of the body", {"type": "string", "enum": list(CODINGS)}),
    "Repr-Digest": ("SHA-256 of the body of a result that is whole", {"type": "string"}),
    "Accept-Ranges": ("a part of it may be asked for", {"type": "string", "enum": ["bytes"]}),
    "X-Dataset": ("the dataset's name", {"type": "string"}),
    "X-Format": ("the extension", {"type": "string"}),
    "X-Missing-Fields": ("chosen fields that the dataset lacks", {"type": "string"}),
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["parameter", "detail"],
                "properties": {"parameter": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def download_answers(formats: Sequence[Format], *, has_body: bool) -> dict[str, Any]:
    """What a download may be answered with, by status."""
    content = {"content": {row.media_type: {"schema": _body(row)} for row in formats}} if has_body else {}
    headers = {name: {"description": words, "schema": schema} for name, (words, schema) in HEADERS.items()}
    return {
        "200": {"description": "All rows, in the format", "headers": headers, **content},
        "206": {"description": "The range of it that was asked for", **content},
        "304": {"description": "What the client has is still it"},
        "307": {"description": "It is elsewhere: the stored object, or an export of what is too large"},
        **problem_answers(),
    }


def json_answers(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What a resource of JSON may be answered with, by status."""
    return {
        "200": {"description": description, "content": {"application/json": {"schema": schema}}},
        "304": {"description": "What the client has is still it"},
        **problem_answers(),
    }


def problem_answers() -> dict[str, Any]:
    """Every problem, by status; which one it is, its code says."""
    codes: dict[int, list[str]] = defaultdict(list)
    for problem in PROBLEMS.values():
        codes[problem.status.value].append(problem.code)
    for status, code in OTHERS.items():
        codes[status].append(code)
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in sorted(known))}",
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Problem"},
                            {"properties": {"code": {"enum": sorted(known)}}},
                        ]
                    }
                }
            },
        }
        for status, known in sorted(codes.items())
    }


def _body(row: Format) -> dict[str, Any]:
    if row.media_type == "application/json":
        return {"type": "array", "items": {"type": "object"}}
    return {"type": "string"} if row.codable else {"type": "string", "format": "binary"}
