"""Domain errors as RFC 9457 problem+json: one table."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from application import errors
from application.api.pages import problem_as_page, wants_page
from application.client.contract import FORM, MAKING, PENDING
from application.telemetry import logger
from application.telemetry.facts import facts_of

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
INTERNAL = "internal"
# No scheme is registered for keys in a header of their own; a browser asks nobody for this one.
CHALLENGE = 'ApiKey realm="download-lambda"'


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is told.

    Status, a stable code, whether trying again may help, whether it is no failure but only not ready
    yet, and the headers that are made of the error.
    """

    status: HTTPStatus
    code: str
    retry: bool = False
    is_pending: bool = False
    headers: Callable[[Any], Mapping[str, str]] = lambda _: {}


PROBLEMS: dict[type[errors.DownloadError], Problem] = {
    errors.ConfigurationError: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not-configured"),
    errors.DatasetNotFound: Problem(HTTPStatus.NOT_FOUND, "dataset-not-found"),
    errors.DatasetInvalid: Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "dataset-invalid"),
    errors.DatasetChanged: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "dataset-changed", retry=True),
    errors.FormatUnknown: Problem(HTTPStatus.NOT_FOUND, "format-unknown"),
    errors.FormatUnavailable: Problem(HTTPStatus.NOT_IMPLEMENTED, "format-unavailable"),
    errors.QueryInvalid: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "query-invalid"),
    errors.ColumnUnsupported: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "column-unsupported"),
    errors.CodingUnacceptable: Problem(HTTPStatus.NOT_ACCEPTABLE, "coding-unacceptable"),
    errors.FormUnsupported: Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "form-unsupported",
        # RFC 10008; RFC 9110 has Accept for the same.
        headers=lambda _: {"Accept": FORM, "Accept-Query": FORM},
    ),
    errors.FormTooLarge: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "form-too-large"),
    errors.PreconditionFailed: Problem(HTTPStatus.PRECONDITION_FAILED, "precondition-failed"),
    errors.RangeNotSatisfiable: Problem(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        "range-not-satisfiable",
        headers=lambda error: {"Content-Range": f"bytes */{error.size}"},
    ),
    errors.StorageUnavailable: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "storage-unavailable", retry=True),
    errors.EngineFailed: Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "engine-failed"),
    errors.KeyRefused: Problem(
        HTTPStatus.UNAUTHORIZED, "unauthorized", headers=lambda _: {"WWW-Authenticate": CHALLENGE}
    ),
    errors.RateExceeded: Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "rate-limited",
        retry=True,
        headers=lambda error: {"Retry-After": str(error.seconds)},
    ),
    errors.TooManyDownloads: Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-downloads", retry=True),
    errors.Busy: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", retry=True),
    errors.ResultTooLarge: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "result-too-large"),
    errors.NotMadeYet: Problem(HTTPStatus.SERVICE_UNAVAILABLE, MAKING, retry=True, is_pending=True),
    errors.ExportPending: Problem(HTTPStatus.SERVICE_UNAVAILABLE, PENDING, retry=True, is_pending=True),
    errors.ExportFailed: Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "export-failed"),
    errors.SpoolFull: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "spool-full", retry=True),
    errors.DeadlineExceeded: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "deadline-exceeded"),
    errors.ProductionCancelled: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "cancelled", retry=True),
    errors.StorageStalled: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "storage-stalled", retry=True),
    errors.ClientStalled: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "client-stalled", retry=True),
    errors.Stopping: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", retry=True),
}


class ProblemResponse(Response):
    """A problem+json response, which tells the access log its code."""

    def __init__(self, code: str, content: bytes, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        super().__init__(content, status, headers, MEDIA_TYPE)
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts_of(scope).code = self._code
        await super().__call__(scope, receive, send)


def _problem_of(error: BaseException) -> Problem:
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)


def problem_code(error: BaseException) -> str:
    """The stable code of an error, `internal` for what nobody expected."""
    known = (PROBLEMS[kind].code for kind in type(error).__mro__ if kind in PROBLEMS)
    # After the headers Starlette wraps what it would have told.
    return next(known, problem_code(error.__cause__) if error.__cause__ else INTERNAL)


def problem_response(
    request_id: str,
    status: HTTPStatus,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """A problem+json response, never stored by a cache."""
    body = {
        "type": f"urn:download-lambda:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **members,
    }
    return ProblemResponse(
        code,
        json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
    )


async def download_error(request: Request, error: Exception) -> Response:
    """Tell a domain error; what is ours to mend goes to the log with its cause."""
    problem = _problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and (busy := errors.lack(error)):
        error, problem = busy, _problem_of(busy)
    facts_of(request.scope).is_pending = problem.is_pending
    # What is not ready yet is asked for again and again.
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not problem.is_pending:
        found = {"request_id": request_id(request), "code": problem.code}
        logger.error("refused: %s", error, exc_info=error, extra=found)
    members = {}
    if isinstance(error, errors.QueryInvalid):
        members["errors"] = [{"parameter": item.parameter, "detail": item.detail} for item in error.problems]
    retry = {"Retry-After": str(RETRY_SECONDS)} if problem.retry else {}
    headers = {**retry, **problem.headers(error)}
    return _told(request, problem.status, problem.code, str(error), headers=headers, members=members)


async def http_error(request: Request, error: Exception) -> Response:
    """Tell the router's own errors: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for this class alone
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    detail = error.detail
    if detail == status.phrase:
        detail = {
            HTTPStatus.NOT_FOUND: "There is nothing here; downloads are at /{dataset}.{extension}.",
            HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here.",
        }.get(status, detail)
    headers = dict(error.headers or {})
    if "Allow" in headers:
        # The router has them in any order.
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    return _told(request, status, code, detail, headers=headers, members={})


def _told(
    request: Request,
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str],
    members: Mapping[str, Any],
) -> Response:
    """A problem as who asks reads it: at a page's address as a page, elsewhere as JSON."""
    identity = request_id(request)
    if not wants_page(request):
        return problem_response(identity, status, code, detail, headers, **members)
    facts_of(request.scope).code = code
    details = [item["detail"] for item in members.get("errors", ())]
    response = problem_as_page(request, status, detail, details, identity)
    response.headers.update(headers)
    return response


def request_id(request: Request) -> str:
    """The id that the request id middleware gave."""
    return str(request.scope.get("state", {}).get("request_id", ""))
