"""The documents: of the service, and of one dataset with its own columns."""

from collections.abc import Sequence
from typing import Any

from application import __version__
from application.api.openapi.answers import PROBLEM, download_answers, json_answers, problem_answers
from application.api.openapi.parameters import all_formats, any_filters, named_parameters, own_filters
from application.client.contract import ALIAS, DOWNLOAD, KEY_HEADER, MANIFEST
from application.formats import Format
from application.models import Dataset

NAME_PATTERN = "^[A-Za-z0-9_-]{1,100}$"
WORDS = (
    "Datasets as CSV, JSON, Parquet and other formats: all rows, or a clear failure. Errors are "
    "`application/problem+json`; read their `code`."
)
STATUS = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
MANIFEST_SCHEMA = {
    "type": "object",
    "required": ["dataset", "format", "e_tag", "rows", "bytes", "sha256", "source", "query"],
    "properties": {
        "dataset": {"type": "string"},
        "format": {"type": "string"},
        "e_tag": {"type": "string"},
        "rows": {"type": "integer"},
        "bytes": {"type": "integer"},
        "sha256": {"type": "string"},
        "source": {"type": "object"},
        "query": {"type": "object"},
        "licence": {"type": "string"},
    },
}


def service_document(*, has_keys: bool) -> dict[str, Any]:
    """The API of every dataset, whose columns are not known."""
    formats = all_formats()
    parameters = [_dataset(), *named_parameters((), formats), *any_filters()]
    download = _download(formats, [*parameters, _extension(formats)])
    paths = {
        DOWNLOAD: download,
        ALIAS + DOWNLOAD: _renamed(download, "alias"),
        MANIFEST: _manifest([*parameters, _format(formats)]),
        "/health": _plain("health", "The process is alive; nothing else is looked at"),
        "/ready": _plain("ready", "Storage and engine answer"),
    }
    return _document("download-lambda", WORDS, paths, has_keys=has_keys)


def dataset_document(dataset: Dataset, *, has_keys: bool) -> dict[str, Any]:
    """The API of one dataset: a path for each format, with its own columns, types and words."""
    columns, filters = dataset.columns, own_filters(dataset.columns)
    paths = {
        f"/{dataset.name}.{row.extension}": _renamed(
            _download([row], [*named_parameters(columns, [row]), *filters]), row.extension
        )
        for row in all_formats()
    }
    manifest = [*named_parameters(columns, ()), *filters, _format(all_formats())]
    paths[MANIFEST.replace("{dataset}", dataset.name)] = _manifest(manifest)
    return _document(f"download-lambda: {dataset.name}", WORDS, paths, has_keys=has_keys)


def _document(title: str, words: str, paths: dict[str, Any], *, has_keys: bool) -> dict[str, Any]:
    components: dict[str, Any] = {"schemas": {"Problem": PROBLEM, "Manifest": MANIFEST_SCHEMA}}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "description": words},
        "paths": paths,
        "components": components,
    }
    if has_keys:
        components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": KEY_HEADER}}
        document["security"] = [{"key": []}]
    return document


def _download(formats: Sequence[Format], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    summary = {"summary": "Download rows", "tags": ["downloads"]}
    return {
        "parameters": parameters,
        "get": {
            **summary,
            "operationId": "download",
            "responses": download_answers(formats, has_body=True),
        },
        "head": {
            **summary,
            "operationId": "head",
            "responses": download_answers(formats, has_body=False),
        },
    }


def _renamed(operations: dict[str, Any], ending: str) -> dict[str, Any]:
    return {
        name: {**each, "operationId": f"{each['operationId']}-{ending}"} if "operationId" in each else each
        for name, each in operations.items()
    }


def _manifest(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Manifest"}
    answers = json_answers("What the download is, without its bytes", schema)
    return {
        "parameters": parameters,
        "get": {
            "summary": "Describe a download: ETag, rows, bytes, SHA-256",
            "tags": ["downloads"],
            "operationId": "manifest",
            "responses": answers,
        },
    }


def _plain(name: str, words: str) -> dict[str, Any]:
    content = {"application/json": {"schema": STATUS}}
    answers = {"200": {"description": words, "content": content}, **problem_answers()}
    return {
        "get": {
            "summary": words,
            "tags": ["service"],
            "operationId": name,
            "responses": answers,
            "security": [],
        }
    }


def _dataset() -> dict[str, Any]:
    return {
        "name": "dataset",
        "in": "path",
        "required": True,
        "description": "the dataset's name",
        "schema": {"type": "string", "pattern": NAME_PATTERN},
    }


def _extension(formats: Sequence[Format]) -> dict[str, Any]:
    words = "; ".join(f"`{row.extension}`: {row.use}" for row in formats)
    return {
        "name": "extension",
        "in": "path",
        "required": True,
        "description": words,
        "schema": {"type": "string", "enum": [row.extension for row in formats]},
    }


def _format(formats: Sequence[Format]) -> dict[str, Any]:
    return {
        "name": "format",
        "in": "query",
        "required": True,
        "description": "the format of the download",
        "schema": {"type": "string", "enum": [row.extension for row in formats]},
    }
