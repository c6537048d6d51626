"""From a search to a file that is all there: with JavaScript, without, and by keyboard alone."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Download, Page, expect

from tests.browser.conftest import places
from tests.support.serving import Served

pytestmark = pytest.mark.browser

# By another way than the service's: what the journey chooses.
WANTED = [
    (row["entity"], row["name"])
    for row in places().to_pylist()
    if row["organisation-entity"] == "1" and row["entity"] >= 100
]
CHOSEN = "/sample?field=entity&field=name&entity__gte=100&organisation-entity=1"
SENTENCE = f"{len(WANTED):,} of 5,000 rows"


def check(taken: Download, served: Served, folder: Path) -> None:
    """The file is what its manifest says, and has the rows that were wanted."""
    path = folder / taken.suggested_filename
    taken.save_as(path)
    manifest = served.get(
        "/datasets/sample/manifest?format=csv&organisation-entity=1&entity__gte=100&field=entity&field=name"
    ).json()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest["sha256"]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["entity"]) for row in rows] == [entity for entity, _ in WANTED]
    assert taken.suggested_filename == "sample-100-1.csv"


def place_of(page: Page, column: str) -> str:
    name = page.locator(f"input[type=hidden][value='{column}'][name^=column-]").get_attribute("name")
    assert name
    return name.removeprefix("column-")


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_journey_ends_with_all_that_was_chosen(
    javascript: bool, width: int, chromium: Browser, served: Served, tmp_path: Path
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=javascript, accept_downloads=True
    )
    with context:
        page = context.new_page()
        page.goto(served.url)
        page.get_by_label("Search datasets").fill("places")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="Places of the tests").click()
        expect(page.locator(".sentence")).to_have_text("All 5,000 rows")
        if width < 1000:
            page.get_by_role("heading", name="Choose what you need").click()
        page.get_by_label("Value of organisation-entity").fill("1")
        page.get_by_label("How to compare entity").select_option("gte")
        page.get_by_label("Value of entity").fill("100")
        if javascript:
            expect(page.locator("[data-count]")).to_have_text(SENTENCE, timeout=15_000)
        page.get_by_text("Columns to keep, order and number of rows").click()
        for name in ("organisation-entity", "end-date", "amount"):
            page.locator("#fields").get_by_label(name, exact=True).uncheck()
        page.get_by_role("button", name="Show these rows").click()
        expect(page.locator(".sentence")).to_have_text(SENTENCE, timeout=15_000)
        assert page.url == served.url + CHOSEN
        with page.expect_download() as taken:
            page.locator(".button").click()
        check(taken.value, served, tmp_path)
        # Back is back, and a chip takes away what it says.
        page.get_by_role("link", name="entity is at least 100").click()
        expect(page.locator(".sentence")).to_have_text("250 of 5,000 rows")
        page.go_back()
        expect(page.locator(".sentence")).to_have_text(SENTENCE)


def reach(page: Page, wanted: Any) -> None:
    """Go by Tab to an element, whose focus can be seen."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            width = wanted.evaluate("element => getComputedStyle(element).outlineWidth")
            assert width == "3px"
            return
    raise AssertionError("Tab does not lead there")


def test_a_journey_needs_a_keyboard_alone(chromium: Browser, served: Served, tmp_path: Path) -> None:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True) as context:
        page = context.new_page()
        page.goto(served.url)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        reach(page, page.get_by_label("Search datasets"))
        page.keyboard.type("places")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=places")
        reach(page, page.get_by_role("link", name="Places of the tests"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/sample")
        reach(page, page.get_by_label("How to compare entity"))
        page.keyboard.type("is at least")
        reach(page, page.get_by_label("Value of entity"))
        page.keyboard.type("100")
        reach(page, page.get_by_label("Value of organisation-entity"))
        page.keyboard.type("1")
        reach(page, page.locator("summary", has_text="Columns to keep"))
        page.keyboard.press("Enter")
        for name in ("organisation-entity", "end-date", "amount"):
            reach(page, page.locator("#fields").get_by_label(name, exact=True))
            page.keyboard.press("Space")
        reach(page, page.get_by_role("button", name="Show these rows"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/sample?*")
        reach(page, page.locator(".button"))
        with page.expect_download() as taken:
            page.keyboard.press("Enter")
        check(taken.value, served, tmp_path)


def test_a_wrong_choice_is_read_first_and_leads_to_its_field(chromium: Browser, served: Served) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{served.url}/sample?organisation-entity=1")
        page.get_by_label("Value of entity").fill("abc")
        page.get_by_role("button", name="Show these rows").click()
        expect(page.locator(".summary")).to_be_focused()
        page.get_by_role("link", name="'entity' holds integers").click()
        expect(page.get_by_label("Value of entity")).to_be_focused()
        expect(page.get_by_label("Value of organisation-entity")).to_have_value("1")


def test_what_is_copied_is_what_is_shown(chromium: Browser, served: Served) -> None:
    with chromium.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{served.url}/sample?limit=5")
        shown = page.locator("[data-tool=curl]").inner_text()
        page.get_by_role("button", name="Copy for curl").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == shown


def test_a_progress_page_ends_with_the_download(chromium: Browser, served: Served) -> None:
    with chromium.new_context(accept_downloads=True) as context:
        page = context.new_page()
        page.goto(f"{served.url}/datasets/sample/download?format=parquet&amount__gte=10")
        link = page.get_by_role("link", name="Download Parquet")
        expect(link).to_be_visible(timeout=20_000)
        with page.expect_download() as taken:
            link.click()
        assert taken.value.suggested_filename == "sample.parquet"
