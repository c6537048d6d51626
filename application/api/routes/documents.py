"""The API's own description and its pages, in development only."""

from typing import Any

from fastapi import APIRouter, Depends
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from application.api.dependencies import development_only
from application.api.routes.health import SERVICE
from application.client.contract import OPENAPI

router = APIRouter(dependencies=[Depends(development_only)], include_in_schema=False)


@router.get(OPENAPI)
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The API, to try."""
    return get_swagger_ui_html(openapi_url=OPENAPI, title=SERVICE)


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    """The API, to read."""
    return get_redoc_html(openapi_url=OPENAPI, title=SERVICE)
