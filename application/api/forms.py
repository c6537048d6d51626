"""Parameters in the body of a request: what an address is too short for."""

import asyncio
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from application.api.state import settings_of
from application.client.contract import FORM
from application.errors import ClientStalled, FormTooLarge, FormUnsupported

# The methods whose body has parameters; what HTTP says of GET it says of QUERY too (RFC 10008).
METHODS = ("POST", "QUERY")
MOST_BYTES = 1 << 20
# Digits; the server has seen that there is nothing else.
LONGEST_LENGTH = 18
# The longest address that is said of an answer.
LONGEST_LOCATION = 2048


async def read_form(request: Request) -> bytes:
    """The body of a request that may have one, empty for others.

    Raises FormUnsupported, FormTooLarge, and ClientStalled where it does not come.
    """
    if request.method not in METHODS:
        return b""
    said = request.headers.get("content-length", "0")
    if len(said) > LONGEST_LENGTH or int(said) > MOST_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(settings_of(request.scope).client_stall_seconds):
            body = await _read(request)
    except TimeoutError:
        raise ClientStalled("The body did not come in time.") from None
    except ClientDisconnect:
        # Told to nobody.
        raise HTTPException(400) from None
    _check_type(request, is_empty=not body)
    return body


def location(path: str, pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The field that says which address asks GET for the same, where it is not too long to be used."""
    found = quote(path) + (f"?{urlencode(pairs)}" if pairs else "")
    return {"Content-Location": found} if len(found) <= LONGEST_LOCATION else {}


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise _too_large()
    return bytes(body)


def _check_type(request: Request, *, is_empty: bool) -> None:
    given = request.headers.getlist("content-type")
    kind = given[0].partition(";")[0].strip().lower() if len(given) == 1 else ""
    if kind != FORM and not (is_empty and not given):
        raise FormUnsupported(f"Parameters in a body are sent as {FORM}.")
    if "content-encoding" in request.headers:
        raise FormUnsupported(f"Parameters in a body are sent as {FORM}, without a Content-Encoding.")


def _too_large() -> FormTooLarge:
    return FormTooLarge(f"A body has at most {MOST_BYTES:,} bytes of parameters.")
