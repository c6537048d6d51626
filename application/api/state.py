"""What the middleware found out about a request, for whoever handles it later."""

from starlette.types import Scope

from application.access.access import Access
from application.access.addresses import Client
from application.api.connections import Connection
from application.settings import Settings

# Names in `scope["state"]`; the lifespan's own are not in use.
SETTINGS, ACCESS, CLIENT = "settings", "access", "client"
CONNECTION, ASKER = "connection", "asker"


def settings_of(scope: Scope) -> Settings:
    """The settings in force, read once for the request."""
    found: Settings = scope["state"][SETTINGS]
    return found


def access_of(scope: Scope) -> Access:
    """Who may ask for how much, by those settings."""
    found: Access = scope["state"][ACCESS]
    return found


def client_of(scope: Scope) -> Client:
    """Who sent the request."""
    found: Client = scope["state"][CLIENT]
    return found


def connection_of(scope: Scope) -> Connection:
    """What carries the request."""
    found: Connection = scope["state"][CONNECTION]
    return found


def asker_of(scope: Scope) -> str:
    """The name that limits are counted under: of the client's key, or of its address."""
    found: str = scope["state"][ASKER]
    return found
