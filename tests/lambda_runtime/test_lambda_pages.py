"""Pages behind the real adapter, the first request of a function's life too."""

import gzip
from typing import Any

import pytest

from tests.lambda_runtime.conftest import Bucket, Starter
from tests.lambda_runtime.function import Function
from tests.lambda_runtime.invocation import Ended, content
from tests.support import html
from tests.support.html import Element
from tests.support.serving import Served, eventually

pytestmark = pytest.mark.adapter

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-encoding": "identity"}


def seen(function: Function, path: str, status: int = 200) -> Element:
    """A page that came whole."""
    answer = function.invoke("GET", path, HTML)
    assert (answer.status, answer.ended) == (status, Ended.WHOLE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.body))
    text = answer.body.decode()
    assert text.rstrip().endswith("</html>")
    return html.read(text)


def check_assets(function: Function, page: Element, direct: Served) -> None:
    """All that a page is made of comes, byte by byte, and may be kept for ever."""
    found = [item.attributes["href"] for item in page.all("link") if "/assets/" in item.attributes["href"]]
    found += [item.attributes["src"] for item in page.all("script") if "src" in item.attributes]
    assert len(found) >= 3
    for path in found:
        for coding in ("identity", "gzip"):
            answer = function.invoke("GET", path, {"accept-encoding": coding})
            assert (answer.status, answer.ended) == (200, Ended.WHOLE)
            assert "immutable" in answer.headers["cache-control"]
            body = gzip.decompress(answer.body) if "content-encoding" in answer.headers else answer.body
            assert content(body) == content(direct.get(path).content)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/", 200, {"sample", "medium", "parts"}),
        ("/sample", 200, {"sample", "rows", "organisation-entity"}),
        ("/datasets/sample/download?format=csv", 200, {"CSV"}),
        ("/absent", 404, {"There is no such dataset"}),
    ],
)
def test_the_first_request_ever_is_a_page(
    start: Starter, bucket: Bucket, direct: Served, *, path: str, status: int, words: set[str]
) -> None:
    with start(bucket.settings()) as cold:
        page = seen(cold, path, status)
        told = page.one("main").words
        assert all(word in told for word in words)
        check_assets(cold, page, direct)
        assert cold.starts == 1


def test_a_page_is_not_sent_again_to_who_has_it(lambda_function: Function) -> None:
    asked: dict[str, Any] = {**HTML, "accept-encoding": "gzip"}

    def is_settled() -> bool:
        """Until all sizes are known it changes."""
        page = seen(lambda_function, "/sample?limit=1")
        return not page.all("section", data_pending="")

    assert eventually(is_settled)
    first = lambda_function.invoke("GET", "/sample?limit=1", asked)
    again = lambda_function.invoke(
        "GET", "/sample?limit=1", {**asked, "if-none-match": first.headers["etag"]}
    )
    assert (first.status, first.headers["content-encoding"], again.status) == (200, "gzip", 304)
    assert html.read(gzip.decompress(first.body).decode()).one("h1").words == "sample"
