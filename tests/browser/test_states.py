"""Every state of the pages: open to everybody, narrow, small, and of this origin alone."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.support.serving import Served

pytestmark = pytest.mark.browser

STATES = {
    "catalogue": "/",
    "search": "/?q=places",
    "nothing found": "/?q=absent",
    "dataset": "/sample",
    "filtered": "/sample?organisation-entity=1&name__notblank=true&sort=-entity&limit=100&field=entity",
    "current": "/sample?period=current",
    "empty": "/sample?entity=-1",
    "wrong address": "/sample?nmae=x",
    "wrong choice": "/datasets/sample/choose?column-1=entity&value-1=abc&limit=many",
    "not there": "/absent",
    "broken": "/broken",
    "300 columns": "/many",
    "hostile names": "/hostile",
    "right to left": "/right-to-left",
    "long cells": "/long",
    "on a map": "/areas",
    "in an area": "/areas?bbox=10,40,20,60",
    "of an area": "/square?within=district:E1",
    "wrong place": "/datasets/square/choose?west=1&area=district:E1",
    "large places": "/large",
    "progress": "/datasets/sample/download?format=xlsx",
    "ready": "/datasets/sample/download?format=parquet",
}
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
MOST_BYTES = 60_000
PICTURES = "PICTURES"  # PICTURES=folder make browser ARGS="-k looked_at"


@dataclass
class Seen:
    """What a browser asked for, how many bytes came, and what it complained of."""

    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    bytes: int = 0


def watch(page: Page) -> Seen:
    seen = Seen()
    page.on("request", lambda request: seen.asked.append(request.url))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    # That a page is a 404 is no complaint of the page's.
    page.on(
        "console",
        lambda said: (
            seen.complaints.append(said.text)
            if said.type == "error" and "status of" not in said.text
            else None
        ),
    )
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def count(event: dict[str, Any]) -> None:
        seen.bytes += int(event["encodedDataLength"])

    network.on("Network.loadingFinished", count)
    return seen


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_open_to_everybody_and_asks_nobody_else(
    state: str, chromium: Browser, served: Served
) -> None:
    check(chromium, served, STATES[state])


@pytest.mark.parametrize("state", ["catalogue", "filtered", "wrong choice", "of an area"])
def test_in_the_dark_there_is_as_much_to_be_seen(state: str, chromium: Browser, served: Served) -> None:
    check(chromium, served, STATES[state], "dark")


def test_the_page_that_asks_for_a_key_is_open_to_everybody(chromium: Browser, locked: Served) -> None:
    check(chromium, locked, "/sample?limit=1")


@pytest.mark.skipif(PICTURES not in os.environ, reason=f"{PICTURES} names no folder for pictures")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_states_are_there_to_be_looked_at(
    scheme: Any, width: int, chromium: Browser, served: Served, locked: Served
) -> None:
    folder = Path(os.environ[PICTURES])
    folder.mkdir(exist_ok=True)
    addresses = {name: served.url + path for name, path in STATES.items()}
    addresses["key"] = f"{locked.url}/sample?limit=1"
    with chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        for name, address in addresses.items():
            page.goto(address)
            page.wait_for_load_state("networkidle")
            if width < 1280 and name == "filtered":
                page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)


def check(chromium: Browser, served: Served, path: str, scheme: Any = "light") -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    with context:
        page = context.new_page()
        seen = watch(page)
        page.goto(served.url + path)
        page.wait_for_load_state("networkidle")
        assert seen.bytes <= MOST_BYTES
        # What is folded away is for everybody, too.
        page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
        found = Axe().run(page, options=RULES)
        told = [
            (item["id"], [node["html"] for node in item["nodes"]]) for item in found.response["violations"]
        ]
        assert told == []
        page.set_viewport_size({"width": 320, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert {url for url in seen.asked if not url.startswith(served.url)} == set()
        assert seen.complaints == []
