"""Reads the settings in force, once for a request: `scope["state"]`."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from application.api.middleware.base import HttpMiddleware
from application.api.problems import download_error
from application.api.state import ACCESS, SETTINGS
from application.errors import DownloadError
from application.lifespan import Lifespan


class SettingsMiddleware(HttpMiddleware):
    """Outside of all that asks for them; says which is wrong where they are not understood."""

    def __init__(self, app: ASGIApp, lifespan: Lifespan) -> None:
        super().__init__(app)
        self._lifespan = lifespan

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            settings = self._lifespan.settings
            access = self._lifespan.access_for(settings)
        except DownloadError as error:
            await (await download_error(Request(scope), error))(scope, receive, send)
            return
        scope.setdefault("state", {}).update({SETTINGS: settings, ACCESS: access})
        await self.app(scope, receive, send)
