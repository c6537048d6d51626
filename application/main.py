"""The application, for every server to start: `uvicorn application.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from application import __version__
from application.api.connections import Connections
from application.api.dependencies import observed
from application.api.middleware.access import AccessMiddleware
from application.api.middleware.access_log import AccessLogMiddleware
from application.api.middleware.client import ClientMiddleware
from application.api.middleware.connection import ConnectionMiddleware
from application.api.middleware.cors import SettingsCORSMiddleware
from application.api.middleware.failures import FailureMiddleware
from application.api.middleware.host import HostMiddleware
from application.api.middleware.request_id import RequestIdMiddleware
from application.api.middleware.security_headers import SecurityHeadersMiddleware
from application.api.middleware.settings import SettingsMiddleware
from application.api.middleware.tracing import TracingMiddleware
from application.api.problems import download_error, http_error
from application.api.routes import ROUTERS
from application.errors import DownloadError
from application.lifespan import Lifespan
from application.settings import Settings
from application.signals import before_terminating

# FastAPI's own would be beside ours, and tell the texts of exceptions.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application with these settings, or with the environment's, read when it starts."""
    life = Lifespan(settings)
    connections = Connections()

    def drain() -> None:
        life.drain()
        # The server itself may wait for its clients without end.
        connections.break_off_after(life.settings.grace_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        life.start()
        connections.start()
        try:
            with before_terminating(drain):
                yield
        finally:
            life.stop()

    app = FastAPI(
        title="download-lambda",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(observed)],
        telemetry=NO_TELEMETRY,
        # It would lead to an address made from the Host header.
        redirect_slashes=False,
    )
    app.state.lifespan = life
    app.add_exception_handler(DownloadError, download_error)
    app.add_exception_handler(HTTPException, http_error)
    # The last one added is the outermost. What refuses is inside CORS, so that a browser can read why.
    app.add_middleware(AccessMiddleware)
    app.add_middleware(HostMiddleware)
    app.add_middleware(FailureMiddleware)
    app.add_middleware(SettingsCORSMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(AccessLogMiddleware, lifespan=life)
    app.add_middleware(TracingMiddleware)
    app.add_middleware(ClientMiddleware)
    app.add_middleware(ConnectionMiddleware, connections=connections)
    app.add_middleware(SettingsMiddleware, lifespan=life)
    app.add_middleware(RequestIdMiddleware)
    for router in ROUTERS:
        app.include_router(router)
    return app


app = create_app()
