"""Whose request it is, for the limits: a key's, or an address's."""

from starlette.datastructures import Headers
from starlette.types import Scope

from application.access.access import Access
from application.access.addresses import Client
from application.access.keys import ApiKeys

HEADER = "x-api-key"
# No part of a value by RFC 9110, but llhttp leaves those at its end.
BLANKS = " \t"


def api_key(scope: Scope, keys: ApiKeys) -> str | None:
    """The name of the one good key of a request, which tells nothing of the key itself, or None."""
    given = Headers(scope=scope).getlist(HEADER)
    return keys.find(given[0].strip(BLANKS).encode("latin-1")) if len(given) == 1 else None


def identity(scope: Scope, access: Access) -> str:
    """What limits are counted by: the key where it is good, else the address.

    A bad key is no identity, or each guess at one would be a new client.
    """
    name = api_key(scope, access.keys) if access.keys else None
    if name:
        return f"key:{name}"
    client: Client = scope["state"]["client"]
    return f"address:{client.network}"
