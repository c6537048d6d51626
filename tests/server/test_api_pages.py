"""The pages of the API, as a browser uses them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, expect

from application.api.routes.documents import ASSETS, FOLDER
from tests.support import tables
from tests.support.browser import browser
from tests.support.serving import Served, serving_folder

ROOT = Path(__file__).parents[2]
PAGES = ("/docs", "/redoc")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("pages")
    tables.write(tables.sample(), root / "sample.parquet")
    with serving_folder(root, environment="development") as found:
        yield found


class Links(HTMLParser):
    """The addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value or "" for name, value in attrs if name in {"src", "href", "spec-url", "data-document"}
        ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_addresses_of_its_own_origin_alone(path: str, served: Served) -> None:
    page = served.get(path)
    links = Links()
    links.feed(page.text)
    assert len(links.found) > 1
    for link in links.found:
        assert link.startswith(("/assets/", "/openapi.json", "data:")), link
        assert link.startswith("data:") or served.get(link).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_nothing_from_another_origin(path: str, served: Served) -> None:
    policy = served.get(path).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name, sources in rules.items():
        allowed = {
            "'self'",
            "'none'",
            "data:",
            "blob:",
            *({"'unsafe-inline'"} if name == "style-src" else ()),
        }
        assert set(sources.split()) <= allowed, name


# What a stylesheet or a script would make a browser load from an address that it has in it.
LOADED = re.compile(
    r"""(?:url\(\s*["']?|@import\s+["']|(?:src|href)\s*[=:]\s*["'`]|fetch\(["'`]|importScripts\(["'`])"""
    r"""((?:https?:)?//[^"'`)\s]+)""",
    re.IGNORECASE,
)
# Links for people to follow, and the name of a namespace.
FOLLOWED = {"github.com", "redocly.com", "www.w3.org"}


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_of_the_pages_loads_nothing_from_another_origin(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert {urlsplit(address).hostname for address in LOADED.findall(text)} <= FOLLOWED
    assert "sourceMappingURL=" not in text.rpartition("\n")[2]


def test_the_files_and_their_licences_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = {name.rpartition("/")[2] for name in archive.namelist() if "/api/assets/" in name}
    assert packed == {*ASSETS, "swagger-ui.LICENSE.txt", "redoc.LICENSE.txt"}


@contextmanager
def opened(served: Served, path: str) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page in a browser that reaches this server alone, with all it asked for and what it complained of."""
    asked: list[str] = []
    complaints: list[str] = []
    with browser() as found:
        page = found.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.route(
            "**/*", lambda route: route.continue_() if route.request.url.startswith(own) else route.abort()
        )
        own = (served.url, "data:", "blob:")
        page.goto(served.url + path)
        yield page, asked, complaints


def elsewhere(served: Served, asked: list[str]) -> list[str]:
    return [url for url in asked if not url.startswith((served.url, "data:", "blob:"))]


def test_the_api_can_be_tried_offline_with_a_filter(served: Served) -> None:
    with opened(served, "/docs") as (page, asked, complaints):
        operation = page.locator(".opblock-get").filter(has_text="/{dataset}.{extension}").first
        operation.locator(".opblock-summary").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.locator("tr[data-param-name=dataset] input").fill("sample")
        operation.locator("tr[data-param-name=extension] select").select_option("json")
        operation.locator("tr[data-param-name=filters] textarea").fill('{"organisation-entity": "org-2"}')
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .highlight-code").first
        expect(answer).to_contain_text('"thr,ee"', timeout=15_000)
        expect(answer).not_to_contain_text("org-1")
        assert any("/sample.json?organisation-entity=org-2" in url for url in asked)
        assert elsewhere(served, asked) == []
        assert complaints == []


def test_the_api_can_be_read_offline(served: Served) -> None:
    with opened(served, "/redoc") as (page, asked, complaints):
        expect(page.get_by_text("all rows, or a clear failure").first).to_be_visible(timeout=15_000)
        expect(page.locator("body")).to_contain_text("exclude_field")
        assert elsewhere(served, asked) == []
        assert complaints == []
