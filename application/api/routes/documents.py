"""The API's own description and its pages, in development only; a dataset's description, always."""

import asyncio
from importlib.resources import files

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from application.api.dependencies import AssetName, CurrentService, DatasetName, development_only
from application.api.state import settings_of
from application.client.contract import DATASET_DOCUMENT, OPENAPI

router = APIRouter(include_in_schema=False)
in_development = [Depends(development_only)]

FOLDER = files("application.api") / "assets"
# Made by scripts/vendor.sh, but for the few lines that open Swagger UI.
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "redoc.standalone.js": "text/javascript",
    "docs.js": "text/javascript",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>download-lambda: the API</title>
<link rel="icon" href="data:,">
{head}
</head>
<body>
{body}
</body>
</html>
"""
SWAGGER = PAGE.format(
    head='<link rel="stylesheet" href="/assets/swagger-ui.css">',
    body=(
        '<div id="swagger-ui" data-document="/openapi.json"></div>\n'
        '<script src="/assets/swagger-ui-bundle.js"></script>\n'
        '<script src="/assets/docs.js"></script>'
    ),
)
REDOC = PAGE.format(
    head="",
    body='<redoc spec-url="/openapi.json"></redoc>\n<script src="/assets/redoc.standalone.js"></script>',
)


@router.get(OPENAPI, dependencies=in_development)
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    # What only a document needs would hold up the start.
    from application.api.openapi.document import service_document

    return JSONResponse(service_document(has_keys=_has_keys(request)))


@router.get("/docs", dependencies=in_development)
async def docs() -> HTMLResponse:
    """The API, to try."""
    return HTMLResponse(SWAGGER)


@router.get("/redoc", dependencies=in_development)
async def redoc() -> HTMLResponse:
    """The API, to read."""
    return HTMLResponse(REDOC)


@router.get("/assets/{name}", dependencies=in_development)
async def asset(name: AssetName) -> Response:
    """A file of the two pages."""
    if name not in ASSETS:
        raise HTTPException(404)
    body = await asyncio.to_thread((FOLDER / name).read_bytes)
    return Response(body, media_type=ASSETS[name])


@router.api_route(DATASET_DOCUMENT, methods=["GET", "HEAD"])
async def dataset_openapi(request: Request, current: CurrentService, dataset: DatasetName) -> JSONResponse:
    """The OpenAPI document of one dataset, with its own columns."""
    found = await current.downloads.find(dataset)
    max_age, has_keys = current.settings.cache_max_age, _has_keys(request)

    def answer() -> JSONResponse:
        from application.api.openapi.document import dataset_document

        # Of thousands of columns it takes a while.
        document = dataset_document(found, has_keys=has_keys)
        return JSONResponse(document, headers={"Cache-Control": f"public, max-age={max_age}"})

    return await asyncio.to_thread(answer)


def _has_keys(request: Request) -> bool:
    return bool(settings_of(request.scope).api_key)
