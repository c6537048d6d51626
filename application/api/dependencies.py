"""One parameter of a handler, one parsed value."""

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from application.api.forms import METHODS, MOST_BYTES, read_form
from application.api.negotiation import choose_coding
from application.api.state import settings_of
from application.client.contract import ALIAS, OPENAPI
from application.downloads.limits import Limits
from application.errors import ParameterProblem, QueryInvalid
from application.formats.compression import CODINGS
from application.lifespan import Lifespan
from application.service import Service
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.downloads.conditions import Conditions
    from application.downloads.plan import Plan
    from application.downloads.plan import Request as DownloadRequest

MOST_PARAMETERS = 1000
# Fields that say of which version a client has bytes, and so of which coding.
NAMING = ("if-range", "if-match", "if-none-match")
LONGEST_NAME = 100


async def observed(request: Request) -> None:
    """Tell log and metrics which handler answers, and of what: names of bounded sets, but for the dataset."""
    facts, found = facts_of(request.scope), request.path_params
    facts.resource = request.scope["endpoint"].__name__
    facts.dataset = found.get("dataset", "")[:LONGEST_NAME] or None


async def lifespan(request: Request) -> Lifespan:
    """The application's lifespan."""
    found: Lifespan = request.app.state.lifespan
    return found


CurrentLifespan = Annotated[Lifespan, Depends(lifespan)]


async def service(request: Request, current: CurrentLifespan) -> Service:
    """The service for the settings in force; raises ConfigurationError, and Busy where it has no room."""
    settings = settings_of(request.scope)
    if found := current.opened(settings):
        return found
    # What opens it takes long, and is done once.
    return await asyncio.to_thread(current.service_for, settings)


CurrentService = Annotated[Service, Depends(service)]


# FastAPI's own path parameters load a part of pydantic that nobody uses, for an eighth of each start.
async def dataset_name(request: Request) -> str:
    """The dataset that the path names."""
    return str(request.path_params["dataset"])


async def extension_name(request: Request) -> str:
    """The extension that the path ends with."""
    return str(request.path_params["extension"])


async def asset_name(request: Request) -> str:
    """The file that the path names."""
    return str(request.path_params["name"])


DatasetName = Annotated[str, Depends(dataset_name)]
ExtensionName = Annotated[str, Depends(extension_name)]
AssetName = Annotated[str, Depends(asset_name)]


async def development_only(request: Request) -> None:
    """404 unless ENVIRONMENT is development."""
    if not settings_of(request.scope).is_development:
        path = request.scope["path"]
        raise HTTPException(404, f"A dataset of that name is at {ALIAS}{path}." if path == OPENAPI else None)


SentForm = Annotated[bytes, Depends(read_form)]


def parameters(request: Request) -> tuple[tuple[str, str], ...]:
    """The query string as text, all parameters kept; raises QueryInvalid where it is no UTF-8."""
    return _pairs(request.scope["query_string"], "query string", MOST_PARAMETERS)


def _pairs(text: bytes, place: str, most: int) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most)
    except UnicodeDecodeError:
        raise QueryInvalid([ParameterProblem("", f"the {place} is not percent-encoded UTF-8")]) from None
    except ValueError:
        raise QueryInvalid([ParameterProblem("", f"there are more than {most} parameters")]) from None
    return tuple(pairs)


async def download_request(
    request: Request, form: SentForm, dataset: DatasetName, extension: ExtensionName, _: CurrentService
) -> "DownloadRequest":
    """Path, query string and form as text; the coding by Accept-Encoding.

    Raises QueryInvalid and CodingUnacceptable.
    """
    from application.downloads.plan import Request as DownloadRequest
    from application.formats import FORMATS

    if extension in FORMATS:
        # One of a bounded set, as metrics need it.
        facts_of(request.scope).format = extension
    # A part of coded bytes can be decoded by nobody, yet HTTP libraries accept codings with every request.
    # Who names a version has bytes of it, and goes on with them as they are.
    in_parts = "range" in request.headers and not any(name in request.headers for name in NAMING)
    offered = CODINGS if settings_of(request.scope).has_codings else ()
    coding = choose_coding(request.headers.get("accept-encoding"), offered, in_parts=in_parts)
    # A form is bounded by its bytes.
    sent = await asyncio.to_thread(_pairs, form, "form", MOST_BYTES) if form else ()
    pairs = parameters(request) + sent
    return DownloadRequest(dataset, extension, pairs, coding)


async def lambda_deadline(request: Request) -> float | None:
    """When the invocation ends, as Unix time, on Lambda; elsewhere anybody could send that header."""
    if not settings_of(request.scope).is_lambda:
        return None
    try:
        return float(json.loads(request.headers["x-amzn-lambda-context"])["deadline"]) / 1000
    except (KeyError, TypeError, ValueError):
        return None


LambdaDeadline = Annotated[float | None, Depends(lambda_deadline)]


async def answer_limits(request: Request, deadline: LambdaDeadline) -> Limits | None:
    """What an answer may carry where every result is whole before its headers; None elsewhere."""
    settings = settings_of(request.scope)
    if not (settings.whole_results or settings.response_max_bytes):
        return None
    return Limits(settings.response_max_bytes or None, deadline)


async def conditions(request: Request) -> "Conditions":
    """What the client makes its request depend on, from all field lines of each name."""
    from application.downloads.conditions import Conditions

    found = Conditions.parse(request.headers.getlist)
    if request.method in METHODS:
        found = replace(found, range=None)
    # By RFC 9110 only who reads has a version already; for POST that is a precondition.
    return replace(found, if_modified_since=None, is_reading=False) if request.method == "POST" else found


RequestedConditions = Annotated["Conditions", Depends(conditions)]
AnswerLimits = Annotated[Limits | None, Depends(answer_limits)]
RequestedDownload = Annotated["DownloadRequest", Depends(download_request)]


async def plan(current: CurrentService, requested: RequestedDownload) -> "Plan":
    """The download asked for; holds no thread while it waits for storage."""
    current.admit()
    return await current.downloads.planned(requested)


PlannedDownload = Annotated["Plan", Depends(plan)]


def _chosen_format(request: Request) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The parameter `format`, empty unless it is there once, and the others."""
    pairs = parameters(request)
    formats = [value for name, value in pairs if name == "format"]
    others = tuple(pair for pair in pairs if pair[0] != "format")
    return (formats[0] if len(formats) == 1 else ""), others


async def manifest_request(request: Request, dataset: DatasetName, _: CurrentService) -> "DownloadRequest":
    """The uncoded download that a manifest is of; raises QueryInvalid unless `format` is there once."""
    from application.downloads.plan import Request as DownloadRequest
    from application.formats import FORMATS

    chosen, pairs = _chosen_format(request)
    if not chosen:
        problem = ParameterProblem("format", f"say once which format, such as format={next(iter(FORMATS))}")
        raise QueryInvalid([problem])
    return DownloadRequest(dataset, chosen, pairs)


async def estimate_request(request: Request, dataset: DatasetName, _: CurrentService) -> "DownloadRequest":
    """The uncoded download that an estimate is of, in its `format`, or in all where it names none.

    Raises QueryInvalid for a format that is there more than once.
    """
    from application.downloads.plan import Request as DownloadRequest

    chosen, pairs = _chosen_format(request)
    if not chosen and any(name == "format" for name, _ in parameters(request)):
        raise QueryInvalid([ParameterProblem("format", "say once which format, or leave it out for all")])
    return DownloadRequest(dataset, chosen, pairs)


RequestedEstimate = Annotated["DownloadRequest", Depends(estimate_request)]
RequestedManifest = Annotated["DownloadRequest", Depends(manifest_request)]


async def manifest_plan(current: CurrentService, requested: RequestedManifest) -> "Plan":
    """The download that a manifest is of, planned."""
    current.admit()
    return await current.downloads.planned(requested)


PlannedManifest = Annotated["Plan", Depends(manifest_plan)]
