"""What a former guide shows as code, pasted; docs/migration.md says what it does, and what to set instead."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from application.api.routes.downloads import download
from application.main import create_app
from application.settings import Settings
from tests.support import tables

KEY = "a-key-of-the-tests"
ORIGIN = "https://www.example.org"
OPEN = ("GET /sample.csv", "HEAD /sample.csv", "GET /dataset/sample.csv", "HEAD /dataset/sample.csv")
MANIFEST = "GET /datasets/sample/manifest?format=csv"
PAGE = Path(__file__).parent.parent.parent / "docs" / "migration.md"

CORS = """
from fastapi.middleware.cors import CORSMiddleware

app.add_middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["GET"],
    allow_headers=["*"],
)
"""
API_KEY = """
from fastapi import Depends, HTTPException, Header

async def verify_api_key(x_api_key: str = Header(...)):
    if x_api_key != os.getenv("API_KEY"):
        raise HTTPException(status_code=401, detail="Invalid API key")
    return x_api_key

router.get("/{dataset}.{extension}", dependencies=[Depends(verify_api_key)])(download)
"""
Pasted = Callable[..., TestClient]


@pytest.fixture
def pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pasted]:
    """An application with settings, and a piece of code as if it stood in it."""
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "API_KEY", "CORS_ALLOW_ORIGINS", "RATE_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with ExitStack() as stack:

        def paste(code: str, **settings: Any) -> TestClient:
            given = {"dataset_bucket": tmp_path.as_uri(), "dataset_prefix": "", **settings}
            app = create_app(Settings(**given))
            run(code, app)
            stack.callback(app.state.lifespan.stop)
            return stack.enter_context(TestClient(app))

        yield paste


def run(code: str, app: FastAPI) -> None:
    """In the place of the application's own route, where it adds one."""
    router = APIRouter()
    exec(code, {"app": app, "router": router, "os": os, "download": download})
    app.router.routes[:0] = router.routes


def ask(client: TestClient, request: str, **headers: str) -> Any:
    method, target = request.split(" ", 1)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request(method, target, headers=given)


def test_pasted_cors_lets_scripts_in_and_shows_them_no_header(pasted: Pasted) -> None:
    client = pasted(CORS)
    for request in (*OPEN, MANIFEST, "GET /absent.csv"):
        answer = ask(client, request, origin=ORIGIN)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-expose-headers" not in answer.headers
    asked = {"origin": ORIGIN, "access_control_request_method": "HEAD"}
    assert ask(client, "OPTIONS /sample.csv", **asked).status_code == 400


def test_the_setting_for_cors_lets_scripts_read_what_old_clients_read(pasted: Pasted) -> None:
    for code in ("", CORS):
        client = pasted(code, cors_allow_origins="*")
        for request in OPEN:
            answer = ask(client, request, origin=ORIGIN)
            assert answer.headers.get_list("access-control-allow-origin") == ["*"]
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"X-Dataset", "X-Format", "Content-Disposition", "ETag"} <= set(exposed)


def test_a_pasted_key_alone_leaves_open_what_the_page_says(
    pasted: Pasted, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pasted(API_KEY.replace('"API_KEY"', '"KEY_OF_OURS"'))
    monkeypatch.setenv("KEY_OF_OURS", KEY)
    assert ask(client, OPEN[0], x_api_key="wrong").status_code == 401
    answer = ask(client, OPEN[0], x_api_key=KEY)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=3600")
    for request in (*OPEN[1:], MANIFEST):
        assert ask(client, request).status_code == 200


@pytest.mark.parametrize("code", ["", API_KEY], ids=["without code", "pasted"])
def test_with_the_setting_for_keys_everything_asks_for_one(
    pasted: Pasted, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    # In the environment, where the code reads it too.
    monkeypatch.setenv("API_KEY", KEY)
    client = pasted(code)
    for request in (*OPEN, MANIFEST):
        for wrong in ({}, {"x_api_key": "wrong"}):
            refused = ask(client, request, **wrong)
            assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
        answer = ask(client, request, x_api_key=KEY)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, max-age=3600")


def test_the_setting_for_rates_counts_everything_that_slowapi_would_not(pasted: Pasted) -> None:
    client = pasted("", rate_limit="3/minute")
    for request in (OPEN[1], OPEN[2], MANIFEST):
        assert ask(client, request).status_code == 200
    for request in (*OPEN, MANIFEST):
        refused = ask(client, request)
        assert (refused.status_code, refused.headers["cache-control"]) == (429, "no-store")
        assert int(refused.headers["retry-after"]) > 0


def test_the_page_says_what_to_set_instead() -> None:
    (section,) = [part for part in PAGE.read_text().split("\n## ") if part.startswith("CORS, keys and rate")]
    for code, setting in (
        ("CORSMiddleware", "CORS_ALLOW_ORIGINS=*"),
        ("verify_api_key", "API_KEY=…"),
        ("limiter.limit", "RATE_LIMIT=10/minute"),
    ):
        (row,) = [line for line in section.splitlines() if code in line]
        assert f"| `{setting}` |" in row
