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
REPORT = "Please tell whoever runs this service, with the number of the request below."


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is told.

    Status, a stable code, what a page has as its title, whether trying again may help, whether it is no
    failure but only not ready yet, what else a reader of the page can do, and the headers that are made of
    the error.
    """

    status: int
    code: str
    title: str
    retry: bool = False
    is_pending: bool = False
    advice: str = ""
    headers: Callable[[Any], Mapping[str, str]] = lambda _: {}


PROBLEMS: dict[type[errors.DownloadError], Problem] = {
    errors.ConfigurationError: Problem(503, "not-configured", "This service is not set up yet"),
    errors.DatasetNotFound: Problem(404, "dataset-not-found", "There is no such dataset"),
    errors.DatasetInvalid: Problem(
        500,
        "dataset-invalid",
        "This dataset's file cannot be read",
        advice=f"The other datasets are not concerned. {REPORT}",
    ),
    errors.DatasetChanged: Problem(503, "dataset-changed", "This dataset was replaced just now", retry=True),
    errors.FormatUnknown: Problem(404, "format-unknown", "There is no such format"),
    errors.FormatUnavailable: Problem(501, "format-unavailable", "This format is not made here"),
    errors.QueryInvalid: Problem(422, "query-invalid", "This address is not understood"),
    errors.ColumnUnsupported: Problem(422, "column-unsupported", "A column does not fit this format"),
    errors.CodingUnacceptable: Problem(
        406, "coding-unacceptable", "Nothing here is what your program accepts"
    ),
    errors.FormUnsupported: Problem(
        415,
        "form-unsupported",
        "This form is not understood",
        # RFC 10008; RFC 9110 has Accept for the same.
        headers=lambda _: {"Accept": FORM, "Accept-Query": FORM},
    ),
    errors.FormTooLarge: Problem(413, "form-too-large", "This form is too large"),
    errors.PreconditionFailed: Problem(412, "precondition-failed", "The data is another version by now"),
    errors.RangeNotSatisfiable: Problem(
        416,
        "range-not-satisfiable",
        "The file has no such part",
        headers=lambda error: {"Content-Range": f"bytes */{error.size}"},
    ),
    errors.StorageUnavailable: Problem(
        503, "storage-unavailable", "The data cannot be reached at the moment", retry=True
    ),
    errors.EngineFailed: Problem(500, "engine-failed", "The rows could not be read", advice=REPORT),
    errors.KeyRefused: Problem(
        401, "unauthorized", "This service asks for a key", headers=lambda _: {"WWW-Authenticate": CHALLENGE}
    ),
    errors.RateExceeded: Problem(
        429,
        "rate-limited",
        "Too many requests",
        retry=True,
        headers=lambda error: {"Retry-After": str(error.seconds)},
    ),
    errors.TooManyDownloads: Problem(
        429, "too-many-downloads", "Too many downloads at the same time", retry=True
    ),
    errors.Busy: Problem(503, "busy", "Many are asking at the moment", retry=True),
    errors.ResultTooLarge: Problem(413, "result-too-large", "This is too large"),
    errors.NotMadeYet: Problem(503, MAKING, "This is still being made", retry=True, is_pending=True),
    errors.ExportPending: Problem(503, PENDING, "This file is still being made", retry=True, is_pending=True),
    errors.ExportFailed: Problem(500, "export-failed", "The file could not be made", advice=REPORT),
    errors.SpoolFull: Problem(503, "spool-full", "There is no room for this at the moment", retry=True),
    errors.DeadlineExceeded: Problem(503, "deadline-exceeded", "This takes too long"),
    errors.ProductionCancelled: Problem(503, "cancelled", "This was stopped", retry=True),
    errors.StorageStalled: Problem(
        503, "storage-stalled", "The data comes too slowly at the moment", retry=True
    ),
    errors.ClientStalled: Problem(503, "client-stalled", "Nothing was taken for too long", retry=True),
    errors.Stopping: Problem(503, "stopping", "This service is starting anew", retry=True),
}

# The router's own, and what nobody expected.
ROUTED = {
    404: "There is nothing here",
    405: "This is not possible here",
}
UNEXPECTED = Problem(
    500,
    INTERNAL,
    "Something went wrong here",
    advice=f"Try again. If it stays so: {REPORT}",
)
UNEXPECTED_DETAIL = "Something went wrong here; quote the request id when you report it."


class ProblemResponse(Response):
    """A problem+json response, which tells the access log its code."""

    def __init__(self, code: str, content: bytes, status: int, headers: Mapping[str, str]) -> None:
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
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """A problem+json response, never stored by a cache."""
    body = {
        "type": f"urn:download-lambda:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
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
    return _told(request, problem, str(error), headers=headers, members=members)


async def http_error(request: Request, error: Exception) -> Response:
    """Tell the router's own errors: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for this class alone
    status = HTTPStatus(error.status_code)
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
    code = status.phrase.lower().replace(" ", "-")
    problem = Problem(status, code, ROUTED.get(status, status.phrase))
    return _told(request, problem, detail, headers=headers, members={})


def unexpected(request: Request) -> Response:
    """Tell what nobody expected, without its cause."""
    return _told(request, UNEXPECTED, UNEXPECTED_DETAIL, headers={}, members={})


def _told(
    request: Request,
    problem: Problem,
    detail: str,
    *,
    headers: Mapping[str, str],
    members: Mapping[str, Any],
) -> Response:
    """A problem as who asks reads it: at a page's address as a page, elsewhere as JSON."""
    identity = request_id(request)
    if wants_page(request):
        details = [item["detail"] for item in members.get("errors", ())]
        try:
            response = problem_as_page(request, problem, detail, details, identity)
        except Exception:  # noqa: BLE001 - a problem is told all the same
            # The templates may be a publisher's own.
            logger.exception("the page of a problem cannot be made", extra={"request_id": identity})
        else:
            facts_of(request.scope).code = problem.code
            response.headers.update(headers)
            return response
    return problem_response(identity, problem.status, problem.code, detail, headers, **members)


def request_id(request: Request) -> str:
    """The id that the request id middleware gave."""
    return str(request.scope.get("state", {}).get("request_id", ""))
