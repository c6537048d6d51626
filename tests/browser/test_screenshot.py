"""The picture in the README is one of the page as it is."""

import os
import struct
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from application.demo import make_demo
from tests.support.serving import eventually, serving

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "page.png"
NAME = "tree-preservation-order"
PAGE = f"/{NAME}?organisation-entity=90&quality=authoritative"
# 5 January 2026.
MADE = 1_767_571_200
SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_HEADER = 33


def with_note(picture: bytes, note: str) -> bytes:
    """A PNG that carries a text."""
    body = b"tEXt" + b"Words\0" + note.encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return picture[:LONGEST_HEADER] + chunk + picture[LONGEST_HEADER:]


def test_the_picture_is_of_the_page_as_it_is(chromium: Browser, tmp_path: Path) -> None:
    make_demo(tmp_path)
    for path in (tmp_path / "dataset").iterdir():
        os.utime(path, (MADE, MADE))
    with (
        serving(dataset_bucket=f"{tmp_path}/", public_url="https://data.example.org") as served,
        chromium.new_context(viewport={"width": 1280, "height": 840}) as context,
    ):
        page = context.new_page()
        # What the rows hold is found out beside serving, while nothing is made.
        assert eventually(lambda: '"top"' in served.get(f"/datasets/{NAME}").text)
        page.goto(served.url + PAGE)
        expect(page.locator(".ticks").first).to_be_attached()
        expect(page.locator("[data-pending]")).to_have_count(0, timeout=20_000)
        expect(page.locator(".button")).to_contain_text("kB")
        sheet = page.locator("link[rel=stylesheet]").get_attribute("href")
        words = page.locator("main").inner_text()
        note = sha256(f"{sheet}\n{words}".encode()).hexdigest()
        if not PICTURE.exists() or note.encode() not in PICTURE.read_bytes():
            PICTURE.write_bytes(with_note(page.screenshot(), note))
    assert PICTURE.read_bytes().startswith(SIGNATURE)
    assert f"]({PICTURE.relative_to(ROOT)})" in (ROOT / "README.md").read_text()
