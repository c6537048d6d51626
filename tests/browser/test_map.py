"""Maps in Chromium: a box that is drawn, and a map to move about in over a style of another origin."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.test_states import RULES, watch
from tests.support.serving import Served, serving_folder

pytestmark = pytest.mark.browser

GROUND = "#ff8800"
STYLE = {
    "version": 8,
    "sources": {},
    "layers": [{"id": "ground", "type": "background", "paint": {"background-color": GROUND}}],
}


@contextmanager
def other_origin(status: int = 200) -> Iterator[str]:
    """A server of a style that knows no tiles."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(STYLE).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def tiles() -> Iterator[str]:
    with other_origin() as found:
        yield found


@pytest.fixture(scope="module")
def mapped(root: Path, tiles: str) -> Iterator[Served]:
    with serving_folder(root, map_style_url=f"{tiles}/style.json") as found:
        yield found


@contextmanager
def opened(chromium: Browser, address: str, scheme: Any = "light", width: int = 1280) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    with context:
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        yield page


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a box on the ground, from and to parts of its width and height."""
    page.click("[data-draw]")
    page.locator(".ground").scroll_into_view_if_needed()
    ground = page.locator(".ground").bounding_box()
    assert ground
    places = [
        (ground["x"] + ground["width"] * x, ground["y"] + ground["height"] * y) for x, y in (start, end)
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=3)
    page.mouse.up()


def box_of(page: Page) -> list[float]:
    return [float(page.input_value(f"#{side}")) for side in ("west", "south", "east", "north")]


def corners(page: Page) -> list[float]:
    found = page.locator("[data-map]")
    return [float(found.get_attribute(f"data-{side}") or "") for side in ("west", "south", "east", "north")]


def between(low: float, high: float, part: float) -> float:
    return low + (high - low) * part


@pytest.mark.parametrize("width", [1280, 390])
def test_a_box_that_is_drawn_becomes_bbox(width: int, chromium: Browser, served: Served) -> None:
    with opened(chromium, f"{served.url}/square", width=width) as page:
        west, south, east, north = corners(page)
        # From the lower right to the upper left.
        drag(page, (0.75, 0.8), (0.25, 0.2))
        wanted = [
            between(west, east, 0.25),
            between(north, south, 0.8),
            between(west, east, 0.75),
            between(north, south, 0.2),
        ]
        assert box_of(page) == pytest.approx(wanted, abs=(east - west) / 100)
        drawn = box_of(page)
        page.click("[data-show]")
        page.wait_for_url("**bbox=**")
        (text,) = parse_qs(urlsplit(page.url).query)["bbox"]
        assert [float(number) for number in text.split(",")] == drawn
        assert page.locator(".chips").inner_text().startswith("in the box")


def test_a_box_over_the_margin_of_a_picture_of_the_world_ends_with_the_world(
    chromium: Browser, served: Served
) -> None:
    with opened(chromium, f"{served.url}/world") as page:
        assert corners(page)[0] < -180
        drag(page, (0.001, 0.001), (0.999, 0.999))
        assert box_of(page) == [-180, -90, 180, 90]
        drag(page, (0.5, 0.001), (0.999, 0.5))
        assert box_of(page) == pytest.approx([0, 0, 180, 90], abs=2)
        drag(page, (0.001, 0.5), (0.5, 0.999))
        assert box_of(page) == pytest.approx([-180, -90, 0, 0], abs=2)
        page.click("[data-show]")
        page.wait_for_url("**bbox=**")


def test_a_box_across_the_antimeridian_has_a_west_that_is_more_than_its_east(
    chromium: Browser, served: Served
) -> None:
    with opened(chromium, f"{served.url}/beyond") as page:
        west, _, east, _ = corners(page)
        assert west < 178
        assert east > 183
        part = (178 - west) / (east - west), (183 - west) / (east - west)
        drag(page, (part[0], 0.2), (part[1], 0.8))
        box = box_of(page)
        assert (box[0], box[2]) == pytest.approx((178, -177), abs=(east - west) / 100)


def test_a_box_over_all_of_a_map_that_repeats_the_world_is_the_world(
    chromium: Browser, mapped: Served
) -> None:
    with opened(chromium, f"{mapped.url}/world") as page:
        page.click("[data-open]")
        page.locator("[data-map] [role=status]", has_text="first").wait_for()
        drag(page, (0.001, 0.3), (0.999, 0.7))
        box = box_of(page)
        assert (box[0], box[2]) == (-180, 180)
        assert -90 <= box[1] < 0 < box[3] <= 90


def test_a_click_draws_no_box(chromium: Browser, served: Served) -> None:
    with opened(chromium, f"{served.url}/square") as page:
        drag(page, (0.5, 0.5), (0.5, 0.5))
        assert page.input_value("#west") == ""
        assert page.get_attribute("[data-draw]", "aria-pressed") == "false"


def test_without_a_style_nothing_can_be_opened_and_the_policy_stays(
    chromium: Browser, served: Served
) -> None:
    answer = served.get("/square", headers={"accept": "text/html"})
    assert "maplibre" not in answer.text
    assert "worker-src" not in answer.headers["content-security-policy"]


def pixel(page: Page, x: float, y: float) -> tuple[int, ...]:
    """A pixel of the ground as it is seen, at parts of its width and height."""
    picture = base64.b64encode(page.locator(".ground").screenshot()).decode()
    other = page.context.new_page()
    try:
        return tuple(
            other.evaluate(
                """async ([data, x, y]) => {
                    const image = new Image();
                    image.src = 'data:image/png;base64,' + data;
                    await image.decode();
                    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
                    canvas.drawImage(image, 0, 0);
                    return [...canvas.getImageData(image.width * x, image.height * y, 1, 1).data].slice(0, 3);
                }""",
                [picture, x, y],
            )
        )
    finally:
        other.close()


def part_of(page: Page, longitude: float, latitude: float) -> tuple[float, float]:
    """Where a position is in the picture, about as in the map, for both have it in the middle."""
    west, south, east, north = corners(page)
    return (longitude - west) / (east - west), (latitude - north) / (south - north)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_map_opens_on_a_click_and_shows_rows_over_the_style(
    scheme: str, chromium: Browser, mapped: Served, tiles: str
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    with context:
        page = context.new_page()
        seen = watch(page)
        page.goto(f"{mapped.url}/square", wait_until="networkidle")
        assert not [url for url in seen.asked if "maplibre" in url or url.startswith(tiles)]
        assert seen.bytes <= 60_000
        page.click("[data-open]")
        page.locator("[data-map] [role=status]", has_text="first").wait_for()
        assert {url for url in seen.asked if not url.startswith(mapped.url)} == {f"{tiles}/style.json"}
        assert [url for url in seen.asked if "/square.geojson?field=geometry&limit=" in url]
        assert seen.complaints == []
        inside, outside = (
            pixel(page, *part_of(page, 0.225, 51.225)),
            pixel(page, *part_of(page, 0.275, 51.225)),
        )
        # The style's ground, and a quarter of blue on it.
        assert outside == pytest.approx((255, 136, 0), abs=3)
        assert inside[2] > 25
        found = Axe().run(page, options=RULES)
        assert [item["id"] for item in found.response["violations"]] == []


def test_a_box_is_drawn_on_the_open_map(chromium: Browser, mapped: Served) -> None:
    with opened(chromium, f"{mapped.url}/square") as page:
        page.click("[data-open]")
        page.locator("[data-map] [role=status]", has_text="first").wait_for()
        west, _, east, _ = corners(page)
        start, end = part_of(page, 0.1, 51.1), part_of(page, 0.3, 51.3)
        drag(page, start, end)
        assert box_of(page) == pytest.approx([0.1, 51.1, 0.3, 51.3], abs=(east - west) / 50)


def test_where_the_style_cannot_be_had_the_picture_stays(chromium: Browser, root: Path) -> None:
    with (
        other_origin(404) as tiles,
        serving_folder(root, map_style_url=f"{tiles}/style.json") as served,
        opened(chromium, f"{served.url}/square") as page,
    ):
        page.click("[data-open]")
        page.locator("[data-map] [role=status]", has_text="cannot").wait_for()
        assert page.locator(".ground svg").first.is_visible()
        assert page.locator("[data-open]").is_enabled()


def test_the_policy_is_wider_on_a_page_with_a_map_alone_and_by_the_style_alone(
    mapped: Served, tiles: str
) -> None:
    html = {"accept": "text/html"}
    policies = {
        path: mapped.get(path, headers=html).headers["content-security-policy"]
        for path in ("/square", "/", "/sample", "/absent")
    }
    wide = dict(part.split(" ", 1) for part in policies["/square"].split("; "))
    narrow = dict(part.split(" ", 1) for part in policies["/"].split("; "))
    assert {name: value for name, value in wide.items() if narrow.get(name) != value} == {
        "img-src": f"'self' {tiles}",
        "connect-src": f"'self' {tiles}",
        "worker-src": "'self'",
    }
    assert {policies[path] for path in ("/", "/sample", "/absent")} == {policies["/"]}
