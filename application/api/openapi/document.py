"""The documents: of the service, and of one dataset with its own columns."""

from collections.abc import Sequence
from typing import Any

from application import __version__
from application.api.forms import MOST_BYTES
from application.api.openapi.answers import (
    TEXT_HEADERS,
    download_answers,
    json_answers,
    problem_components,
    problem_schema,
)
from application.api.openapi.descriptions import SCHEMAS
from application.api.openapi.headers import header_components, request_header_components, request_headers
from application.api.openapi.parameters import any_filters, form_schema, named_parameters, own_filters
from application.client.contract import (
    ALIAS,
    CATALOGUE,
    DATASET_DOCUMENT,
    DESCRIPTION,
    DOWNLOAD,
    FORM,
    KEY_HEADER,
    MANIFEST,
)
from application.formats import FORMATS, Format
from application.models import Dataset

NAME_PATTERN = "^[A-Za-z0-9_-]{1,100}$"
WORDS = (
    "Datasets as CSV, JSON, Parquet and other formats: all rows, or a clear failure. Errors are "
    "`application/problem+json`; read their `code`. `QUERY` (RFC 10008) takes the form that `POST` "
    "takes, where what is in between lets it pass. Of the columns that `field` chooses, `exclude_field` "
    "has to leave one."
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
# The manifest's own parameter, as its column is filtered there by another name.
FORMAT = "format"
Parameters = list[dict[str, Any]]


class _Document:
    """One document in the making; a parameter or a form is in it once, however many operations take it."""

    def __init__(self, title: str, *, has_keys: bool) -> None:
        self._title = title
        self._has_keys = has_keys
        self._paths: dict[str, Any] = {}
        self._shared: dict[str, dict[str, Any]] = {
            "parameters": request_header_components(),
            "requestBodies": {},
        }
        self._keys: dict[str, str] = {}

    def download(
        self, path: str, formats: Sequence[Format], parameters: Parameters, inside: Parameters, ending: str
    ) -> None:
        """A download at a path, whose own parameters are ``inside`` it."""
        self._paths[path] = {
            "parameters": inside,
            **{
                method: {
                    "summary": "Download rows",
                    "tags": ["downloads"],
                    "operationId": f"{method}-{ending}",
                    "responses": download_answers(formats, method),
                    **self._asked(method, parameters),
                }
                for method in ("get", "head", "post")
            },
        }

    def resource(
        self, path: str, name: str, answers: dict[str, Any], words: str, parameters: Parameters, **more: Any
    ) -> None:
        """Something of JSON at a path."""
        self._paths[path] = {
            "get": {
                "summary": words,
                "tags": ["downloads" if parameters else "service"],
                "operationId": name,
                "parameters": self._once_each(parameters),
                "responses": answers,
                **more,
            }
        }

    def made(self) -> dict[str, Any]:
        """The document as JSON has it."""
        components: dict[str, Any] = {
            "schemas": {"Problem": problem_schema(), "Manifest": MANIFEST_SCHEMA, **SCHEMAS},
            **self._shared,
            "headers": header_components(),
            "responses": problem_components(),
        }
        made: dict[str, Any] = {
            "openapi": "3.1.0",
            "info": {"title": self._title, "version": __version__, "description": WORDS},
            "paths": self._paths,
            "components": components,
        }
        if self._has_keys:
            components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": KEY_HEADER}}
            made["security"] = [{"key": []}]
        return made

    def _asked(self, method: str, parameters: Parameters) -> dict[str, Any]:
        """What is asked with a method: parameters in the address, or in a form."""
        if method != "post":
            return {"parameters": [*self._once_each(parameters), *request_headers(method)]}
        schema, encoding = form_schema(parameters)
        words = f"The parameters of GET, in at most {MOST_BYTES:,} bytes"
        content = {"schema": schema, **({"encoding": encoding} if encoding else {})}
        body = self._once("requestBodies", {"description": words, "content": {FORM: content}})
        return {"parameters": request_headers(method), "requestBody": body}

    def _once_each(self, parameters: Parameters) -> Parameters:
        return [self._once("parameters", each) for each in parameters]

    def _once(self, kind: str, item: dict[str, Any]) -> dict[str, Any]:
        """A reference to an item, which becomes a component; a column's name could be no name of one."""
        said = repr(item)
        if said not in self._keys:
            self._keys[said] = f"item-{len(self._keys) + 1}"
            self._shared[kind][self._keys[said]] = item
        return {"$ref": f"#/components/{kind}/{self._keys[said]}"}


def service_document(*, has_keys: bool) -> dict[str, Any]:
    """The API of every dataset, whose columns are not known."""
    formats = list(FORMATS.values())
    parameters = [*named_parameters((), formats), *any_filters()]
    document = _Document("download-lambda", has_keys=has_keys)
    inside = [_dataset(), _extension(formats)]
    document.download(DOWNLOAD, formats, parameters, inside, "download")
    document.download(ALIAS + DOWNLOAD, formats, parameters, inside, "download-alias")
    words = "All datasets, with what is known of each"
    answers = json_answers(words, {"$ref": "#/components/schemas/Catalogue"}, TEXT_HEADERS)
    document.resource(CATALOGUE, "catalogue", answers, words, [])
    _add_description(document, DESCRIPTION, [_dataset()])
    _add_manifest(document, MANIFEST, [_dataset(), *parameters])
    words = "The API of one dataset, with its columns"
    answers = json_answers(words, {"type": "object"}, ())
    document.resource(DATASET_DOCUMENT, "document", answers, words, [_dataset()])
    for name, words in {
        "health": "The process is alive; nothing else is looked at",
        "ready": "Storage and engine answer",
    }.items():
        document.resource(f"/{name}", name, json_answers(words, STATUS, ()), words, [], security=[])
    return document.made()


def dataset_document(dataset: Dataset, *, has_keys: bool) -> dict[str, Any]:
    """The API of one dataset: a path for each format, with its own columns, types and words."""
    columns, filters = dataset.columns, own_filters(dataset.columns)
    document = _Document(f"download-lambda: {dataset.name}", has_keys=has_keys)
    has_geometry = dataset.geometry is not None
    for row in FORMATS.values():
        if row.geometry and not has_geometry:
            continue
        parameters = [*named_parameters(columns, [row], has_geometry=has_geometry), *filters]
        document.download(f"/{dataset.name}.{row.extension}", [row], parameters, [], row.extension)
    parameters = [*named_parameters(columns, (), has_geometry=has_geometry), *own_filters(columns, (FORMAT,))]
    _add_description(document, DESCRIPTION.replace("{dataset}", dataset.name), [])
    _add_manifest(document, MANIFEST.replace("{dataset}", dataset.name), parameters)
    return document.made()


def _add_description(document: _Document, path: str, parameters: Parameters) -> None:
    words = "Describe a dataset: words, columns, geometry, formats"
    answers = json_answers(words, {"$ref": "#/components/schemas/Description"}, TEXT_HEADERS)
    document.resource(path, "description", answers, words, parameters)


def _add_manifest(document: _Document, path: str, parameters: Parameters) -> None:
    """A manifest, and what takes the same parameters: an estimate and a status."""
    for name, words, names, required in (
        ("estimate", "Tell rows and bytes of a download before it is made", ("ETag",), False),
        ("status", "Tell how far a download is that is being made", (), True),
    ):
        answers = json_answers(words, {"$ref": f"#/components/schemas/{name.title()}"}, names)
        own = [*parameters, _format(required=required)]
        document.resource(path.replace("/manifest", f"/{name}"), name, answers, words, own)
    words = "Describe a download: ETag, rows, bytes, SHA-256"
    answers = json_answers(
        "What the download is, without its bytes", {"$ref": "#/components/schemas/Manifest"}
    )
    document.resource(path, "manifest", answers, words, [*parameters, _format()])


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


def _format(*, required: bool = True) -> dict[str, Any]:
    return {
        "name": FORMAT,
        "in": "query",
        "required": required,
        "description": "the format of the download",
        "schema": {"type": "string", "enum": list(FORMATS)},
    }
