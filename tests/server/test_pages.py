"""Pages for people, as a client without a browser reads them."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from application.api.problems import PROBLEMS, UNEXPECTED
from application.downloads import sizes
from application.downloads.plan import Plan
from application.formats import FORMATS
from tests.support import html, tables
from tests.support.html import Element
from tests.support.serving import SECONDS, Served, eventually, serving_folder

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HOSTILE = '<script>alert(1)</script>"&'
ODD = pa.table(
    {
        HOSTILE: [HOSTILE, None],
        "two words & more=1": ["a,b", ""],
        "limit": ["x", "y"],
        "end-date": ["2020-01-01", ""],
        "long": ["é" * 5000, "short"],
        "number": pa.array([1.5, None]),
    }
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("pages")
    tables.write(tables.sample(), root / "sample.parquet")
    tables.write(tables.sample(), root / "health.parquet")
    tables.write(ODD, root / "odd.parquet")
    tables.write(ODD.slice(0, 0), root / "empty.parquet")
    tables.write(pa.table({f"c{number}": [number] for number in range(300)}), root / "many.parquet")
    (root / "broken.parquet").write_bytes(b"no Parquet at all, but long enough to be one")
    words = {"sample": {"title": "Samples </title>", "description": "Some. Of all.", "licence": "OGL 3"}}
    (root / "datasets.json").write_text(json.dumps(words))
    with serving_folder(root) as found:
        yield found


def page(served: Served, path: str, status: int = 200) -> Element:
    answer = served.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return html.read(answer.text)


def place_of(form: Element, column: str) -> str:
    """The number of the controls of a column."""
    names = [item.attributes.get("name", "") for item in form.all("input", value=column)]
    (place,) = [name.removeprefix("column-") for name in names if name.startswith("column-")]
    return place


QUERIES = [
    "/sample",
    "/sample?organisation-entity=org-1",
    "/sample?name__icontains=%C3%A9&quality=some&quality=none&sort=-entity&limit=3",
    "/sample?field=name&field=entity&entity__gte=1&entity__lt=5",
    "/sample?exclude_field=name&name__isnull=true&offset=1",
    "/sample?quality__exact=&bom=true",
    "/odd?period=current&limit__exact=x",
    "/odd?two%20words%20%26%20more%3D1__in=%22a%2Cb%22%2Cc&number__notnull=true",
    "/empty",
    "/many?c1=1",
    "/dataset/health",
]


@pytest.mark.parametrize("path", QUERIES)
def test_a_form_that_nobody_touches_leads_to_the_page_it_is_on(path: str, served: Served) -> None:
    found = page(served, path)
    answer = served.get(html.sent(found.one("form", class_="choose")))
    assert answer.status_code == 303
    canonical = urlsplit(found.one("link", rel="canonical").attributes["href"])
    assert answer.headers["location"] == canonical.path + (f"?{canonical.query}" if canonical.query else "")
    assert page(served, answer.headers["location"]).one(id="sentence").words == found.one(id="sentence").words


@pytest.mark.parametrize("path", QUERIES)
def test_everything_that_a_page_links_to_is_there(path: str, served: Served) -> None:
    found = page(served, path)
    links = {item.attributes.get("href", item.attributes.get("src", "")) for item in found.all()} - {""}
    for link in links:
        if link.startswith("#"):
            assert found.one(id=link[1:])
        elif not link.startswith("http"):
            assert served.get(link).status_code == 200, link


@pytest.mark.parametrize("path", QUERIES)
def test_a_page_shows_the_first_rows_that_the_download_has(path: str, served: Served) -> None:
    found = page(served, path)
    name, _, query = path.partition("?")
    rows = served.get(f"{name}.json?{query.replace('bom=true', '')}").json()
    if not rows:
        assert "No row meets" in found.one("main").words
        return
    shown = [
        [cell.words for cell in row.all("td")]
        for row in found.all("div", class_="scroll")[0].one("tbody").all("tr")
    ]
    heads = [head.text for head in found.all("div", class_="scroll")[0].one("thead").all("th")]
    assert heads == list(rows[0])[:24]
    assert len(shown) == min(len(rows), 20)
    for row, told in zip(rows, shown, strict=False):
        for value, cell in zip(row.values(), told, strict=False):
            if value is None or value == "":
                assert cell == ("no value" if value is None else "empty")
            elif isinstance(value, str) and len(value) < 60:
                assert cell == " ".join(value.split())


def test_every_format_has_a_row_that_leads_to_its_download(served: Served) -> None:
    found = page(served, "/sample?organisation-entity=org-1&field=name")
    rail = found.one("section", class_="rail")
    links = [item.attributes["href"] for item in rail.all("a") if "." in item.attributes["href"]]
    assert {urlsplit(link).path.rpartition(".")[2] for link in links} >= {
        name for name, row in FORMATS.items() if not row.geometry
    }
    for link in links:
        answer = served.get(link)
        assert answer.status_code == 200
        assert 'filename="sample-org-1.' in answer.headers["content-disposition"]
    assert served.get(next(link for link in links if "preset=excel" in link)).content.startswith(
        "\ufeff".encode()
    )


def test_a_chip_takes_away_what_it_says(served: Served) -> None:
    chips = page(served, "/sample?quality=some&quality=none&sort=-entity&limit=3").one("ul", class_="chips")
    taken = {item.words: item.attributes["href"] for item in chips.all("a")}
    assert taken == {
        "quality is none or some ×: take this away": "/sample?sort=-entity&limit=3",
        "sorted by entity, from its end ×: take this away": "/sample?quality=none&quality=some&limit=3",
        "at most 3 rows ×: take this away": "/sample?quality=none&quality=some&sort=-entity",
        "Clear all": "/sample",
    }


def test_what_is_chosen_becomes_one_address(served: Served) -> None:
    form = page(served, "/sample").one("form", class_="choose")
    place = place_of(form, "entity")
    changed = {f"operator-{place}": "gte", f"value-{place}": " 2 ", "limit": "1,000", "sort": "name"}
    answer = served.get(html.sent(form, **changed))
    assert answer.headers["location"] == "/sample?entity__gte=2&sort=name&limit=1000"


def test_a_column_of_few_values_is_ticked_by_their_names(tmp_path: Path) -> None:
    rows = pa.table({"organisation-entity": [*("org-1", "org-2", "org-3") * 2, None]})
    tables.write(rows, tmp_path / "sample.parquet")
    names = pa.table({"organisation": ["org-1", "org-2"], "name": ["First", "Second"]})
    tables.write(names, tmp_path / "organisation.parquet")
    words = {"sample": {"labels": {"organisation-entity": "organisation:organisation:name"}}}
    (tmp_path / "datasets.json").write_text(json.dumps(words))
    with serving_folder(tmp_path) as served:
        path = "/sample?organisation-entity=org-2&organisation-entity=org-1"
        # What the rows hold is found out beside serving.
        assert eventually(lambda: '"profile"' in served.get("/datasets/sample").text)
        found = page(served, path)
        ticks = found.one(id=found.all("label", class_="tick")[0].all("input")[0].attributes["name"])
        shown = {item.words: "checked" in item.all("input")[0].attributes for item in ticks.all("label")}
        assert shown == {"First (org-1) 2": True, "Second (org-2) 2": True, "org-3 2": False}
        answer = served.get(html.sent(found.one("form", class_="choose")))
        assert answer.headers["location"] == "/sample?organisation-entity=org-1&organisation-entity=org-2"
        assert "First (org-1) or Second (org-2)" in found.one("ul", class_="chips").words
        cells = found.all("div", class_="scroll")[0].one("tbody").words
        assert "First (org-1)" in cells


def test_a_wrong_choice_keeps_the_form_and_leads_to_what_is_wrong(served: Served) -> None:
    form = page(served, "/sample").one("form", class_="choose")
    place = place_of(form, "entity")
    address = html.sent(form, **{f"value-{place}": "abc", "limit": "many"})
    again = page(served, address, 422)
    links = again.one("div", class_="summary").all("a")
    assert [link.attributes["href"] for link in links] == [f"#value-{place}", "#limit"]
    for link in links:
        assert again.one(id=link.attributes["href"][1:])
    assert again.one(id=f"value-{place}").attributes["value"] == "abc"
    assert again.one(id="limit").attributes["value"] == "many"


def test_a_catalogue_lists_and_finds_datasets(served: Served) -> None:
    found = page(served, "/")
    links = {item.words: item.attributes["href"] for item in found.one("table").all("a")}
    assert links == {
        "Samples </title>": "/sample",
        "empty": "/empty",
        "health": "/dataset/health",
        "many": "/many",
        "odd": "/odd",
    }
    assert "It cannot be read" in found.one("table").words
    searched = page(served, "/?q=OGL+sample")
    assert [item.words for item in searched.one("table").all("a")] == ["Samples </title>"]
    assert searched.all("meta", name="robots")
    assert served.get(found.one("link", rel="alternate").attributes["href"]).json()
    page(served, "/?p=2", 422)


def test_words_are_shown_as_text_whatever_is_in_them(served: Served) -> None:
    for path in ("/sample", "/odd", "/odd?two%20words%20%26%20more%3D1=%3Cb%3E"):
        found = page(served, path)
        for script in found.all("script"):
            assert set(script.attributes) <= {"type", "src"}
            assert "src" in script.attributes or json.loads(script.text)["@type"] == "Dataset"
        assert not found.all("b")
        for element in found.all():
            assert not {name for name in element.attributes if name.startswith("on") or name == "style"}


def test_a_page_of_a_query_is_kept_out_of_indexes_and_a_whole_one_says_what_it_is(served: Served) -> None:
    assert page(served, "/sample?limit=1").one("meta", name="robots").attributes["content"] == "noindex"
    whole = page(served, "/sample")
    assert not whole.all("meta", name="robots")
    said = json.loads(whole.one("script", type="application/ld+json").text)
    assert (said["name"], said["license"]) == ("Samples </title>", "OGL 3")
    assert all(
        served.get(urlsplit(item["contentUrl"]).path).status_code == 200 for item in said["distribution"]
    )
    assert served.get("/robots.txt").text == "User-agent: *\nDisallow: /*?\n"


def test_a_page_that_a_client_has_is_not_sent_again(served: Served) -> None:
    # Until all sizes are known it changes.
    assert eventually(lambda: "data-pending" not in served.get("/sample?limit=2", headers=HTML).text)
    first = served.get("/sample?limit=2", headers=HTML)
    again = served.get("/sample?limit=2", headers={**HTML, "if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert first.headers["cache-control"].startswith("private, max-age=")
    assert {part.strip() for part in first.headers["vary"].split(",")} == {"Accept", "Accept-Encoding"}
    asset = html.read(first.text).one("link", rel="stylesheet").attributes["href"]
    assert "immutable" in served.get(asset).headers["cache-control"]
    assert len(served.get(asset).content) <= 15_000


def test_a_problem_is_a_page_for_people_and_json_for_programs(served: Served) -> None:
    for path, status in (("/absent", 404), ("/sample?nmae=x", 422), ("/health?x", 200), ("/broken", 500)):
        assert served.get(path, headers=HTML).status_code == status
    told = page(served, "/sample?nmae=x", 422)
    assert "'name'" in told.one("main").words
    assert served.get("/absent").headers["content-type"] == "application/problem+json"
    download = served.get("/absent.csv", headers=HTML)
    assert download.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in page(served, "/broken", 500).text


def test_a_page_waits_for_the_size_of_one_format_and_has_the_others_later(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, go_on = sizes.estimated_size, threading.Event()

    asked: list[str] = []

    def size(plan: Plan, *given: Any) -> int:
        asked.append(plan.e_tag)
        assert plan.format.extension == "csv" or go_on.wait(SECONDS)
        return own(plan, *given)

    monkeypatch.setattr(sizes, "estimated_size", size)
    path = "/sample?entity__gte=1&name__notnull=true"
    with monkeypatch.context() as hasty:
        hasty.setattr("application.api.views.dataset.SOON_SECONDS", 0.0)
        first = page(served, path).one("section", class_="rail")
        # Who asks again joins what goes on.
        again = page(served, path).one("section", class_="rail")
    assert again.one("a", class_="button").words == first.one("a", class_="button").words
    assert len(set(asked)) == len(asked)
    assert "data-pending" in first.attributes
    assert re.search(r"Download CSV · about \d+ bytes", first.one("a", class_="button").words)
    assert re.match(r"\d+ of \d+ rows", first.one(id="sentence").words)
    go_on.set()

    def is_known() -> bool:
        rail = page(served, path).one("section", class_="rail")
        rows = rail.one("ul", class_="formats").all("li")
        return "data-pending" not in rail.attributes and all(
            re.search(r" (kB|bytes)$", row.words) for row in rows
        )

    assert eventually(is_known)


def test_one_visit_finds_the_sizes_of_its_rows_and_of_no_others(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, go_on = sizes.estimated_size, threading.Event()
    asked: list[tuple[str, int]] = []

    def size(plan: Plan, *given: Any) -> int:
        asked.append((plan.format.extension, len(plan.query.filters)))
        assert plan.format.extension == "csv" or go_on.wait(SECONDS)
        return own(plan, *given)

    monkeypatch.setattr(sizes, "estimated_size", size)
    monkeypatch.setattr("application.api.views.dataset.SOON_SECONDS", 0.0)
    page(served, "/sample?entity__gte=2&name__notnull=true")
    go_on.set()
    left = {name for name, row in FORMATS.items() if not row.geometry}
    assert eventually(lambda: {name for name, _ in asked} == left)
    assert {filters for _, filters in asked} == {2}


def test_a_dataset_that_cannot_be_read_says_so_and_what_to_do(served: Served) -> None:
    told = page(served, "/broken", 500)
    assert told.one("h1").words == told.one("title").words == "This dataset's file cannot be read"
    words = told.one("main").words
    assert "The other datasets are not concerned." in words
    assert "tell whoever runs this service" in words
    assert told.one("main").one("a").words == "See all datasets"


def test_every_kind_of_problem_has_a_calm_title_of_its_own() -> None:
    titles = [row.title for row in (*PROBLEMS.values(), UNEXPECTED)]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert not re.search(r"!|error|fail|invalid|\d", title, re.IGNORECASE), title


def test_what_nobody_expected_is_a_page_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("application.api.views.dataset.show_dataset", fail)
    told = page(served, "/sample", 500)
    assert told.one("h1").words == UNEXPECTED.title
    # Where a publisher's templates are broken, too.
    monkeypatch.setattr("application.api.problems.problem_as_page", fail)
    assert served.get("/sample", headers=HTML).json()["code"] == "internal"


def test_a_dataset_named_as_a_fixed_path_has_its_page_under_another(served: Served) -> None:
    assert served.get("/health", headers=HTML).json()["status"] == "healthy"
    assert page(served, "/dataset/health").one("h1").words == "health"


def test_pages_and_their_links_are_under_the_public_address(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path, public_url="https://data.example.org/open/") as served:
        answer = served.get("/sample", headers=HTML)
        found = html.read(answer.text)
        assert answer.headers["cache-control"].startswith("public, max-age=")
        assert found.one("link", rel="canonical").attributes["href"] == "https://data.example.org/open/sample"
        code = found.one("code", data_tool="curl").text
        assert code.endswith("'https://data.example.org/open/sample.csv'")
        for element in found.all():
            link = element.attributes.get("href", element.attributes.get("action", "/open/"))
            assert link.startswith(("/open/", "https://data.example.org/open", "#")), link


def test_with_keys_a_page_says_how_to_ask_with_one(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path, api_key="a-key-of-the-tests") as served:
        told = page(served, "/sample?limit=1", 401)
        assert (
            f"curl --header 'x-api-key: YOUR-KEY' '{served.url}/sample?limit=1'"
            in told.one("code", id="code-problem").text
        )
        assert served.get("/sample", headers=HTML).headers["www-authenticate"]
        assert served.get(told.one("link", rel="stylesheet").attributes["href"]).status_code == 200
        assert served.get("/favicon.ico").status_code == served.get("/robots.txt").status_code == 200
        opened = served.get("/sample", headers={**HTML, "x-api-key": "a-key-of-the-tests"})
        assert opened.status_code == 200
        assert opened.headers["cache-control"].startswith("private")


def test_without_pages_there_is_the_api_alone(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path, pages="off") as served:
        for path in (
            "/",
            "/sample",
            "/dataset/sample",
            "/datasets/sample/choose",
            "/robots.txt",
            "/favicon.ico",
        ):
            answer = served.get(path, headers=HTML)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert served.get("/sample.csv").status_code == 200


def test_a_publishers_own_files_go_before_ours(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "data/sample.parquet")
    (tmp_path / "own/templates").mkdir(parents=True)
    (tmp_path / "own/assets").mkdir()
    (tmp_path / "own/templates/brand.html").write_text("<a href='/'>Our <b>data</b></a>")
    (tmp_path / "own/assets/brand.css").write_text(":root { --accent: red }")
    with serving_folder(tmp_path / "data", pages_dir=tmp_path / "own") as served:
        found = page(served, "/sample")
        assert found.one("header").words == "Our data"
        sheets = [item.attributes["href"] for item in found.all("link", rel="stylesheet")]
        assert served.get(sheets[1]).text == ":root { --accent: red }"
        assert re.fullmatch(r"/assets/pages/brand\.[0-9a-f]{16}\.css", sheets[1])
