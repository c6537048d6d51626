"""A box and an area on the form: typed or chosen, without a script, and what is said where they are wrong."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import html
from tests.support.html import Element
from tests.support.serving import Served, serving_folder

HTML = {"accept": "text/html"}
NAMES = ["Camden", "Islington", "Hackney"]
TREES = [(0.5, 51.5), (1.5, 51.5), (2.5, 51.5), (2.6, 51.6)]


def square(west: int) -> str:
    east = west + 1
    return f"POLYGON (({west} 51, {east} 51, {east} 52, {west} 52, {west} 51))"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("where")
    districts = {
        "reference": ["E09000007", "E09000019", "E:1,2"],
        "name": NAMES,
        "geometry": [square(west) for west in range(3)],
    }
    pq.write_table(pa.table(districts), root / "district.parquet")
    count = 400
    wards = {
        "entity": range(count),
        "name": ["High Street" if n < 2 else f"Ward {n}" for n in range(count)],
        "geometry": [square(n % 3) for n in range(count)],
    }
    pq.write_table(pa.table(wards), root / "ward.parquet")
    trees = {"entity": range(4), "point": [f"POINT ({x} {y})" for x, y in TREES]}
    pq.write_table(pa.table(trees), root / "tree.parquet")
    pq.write_table(pa.table({"entity": [1]}), root / "nowhere.parquet")
    words = {"district": {"title": "Districts"}, "ward": {"title": "Wards", "key": "entity"}}
    (root / "datasets.json").write_text(json.dumps(words))
    with serving_folder(root) as found:
        yield found


def page(served: Served, path: str, status: int = 200) -> Element:
    answer = served.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return html.read(answer.text)


def chosen(served: Served, **controls: str) -> tuple[list[tuple[str, str]], Element]:
    """What choosing on the tree's page leads to: its parameters, and its page."""
    form = page(served, "/tree").one("form", class_="choose")
    names = {name.replace("_", "-"): value for name, value in controls.items()}
    answer = served.get(html.sent(form, **names))
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    return parse_qsl(urlsplit(address).query), page(served, address)


def wrong(served: Served, **controls: str) -> dict[str, str]:
    """What is told of wrong choices, by the control that it leads to; each control is there, and says it."""
    form = page(served, "/tree").one("form", class_="choose")
    names = {name.replace("_", "-"): value for name, value in controls.items()}
    found = page(served, html.sent(form, **names), 422)
    links = found.one("div", class_="summary").all("a")
    told = {link.attributes["href"].removeprefix("#"): link.words for link in links}
    for control, detail in told.items():
        assert found.one(id=control).attributes["aria-invalid"] == "true"
        assert found.one(id=f"{control}-problem").words == detail
    for name, value in names.items():
        (kept,) = [
            item for item in found.one("form", class_="choose").all() if item.attributes.get("name") == name
        ]
        assert kept.tag == "select" or kept.attributes["value"] == value
    return told


def test_four_sides_become_a_box(served: Served) -> None:
    pairs, found = chosen(served, west="1", south="51.0", east="2", north=" 52 ")
    assert pairs == [("bbox", "1.0,51.0,2.0,52.0")]
    assert found.one(id="sentence").words == "1 of 4 rows"
    (chip,) = found.one("ul", class_="chips").all("bdi")
    assert chip.words == "in the box from 51.00° N to 52.00° N and from 1.00° E to 2.00° E"


def test_an_area_is_chosen_from_a_list_of_names(served: Served) -> None:
    form = page(served, "/tree").one("form", class_="choose")
    assert [item.words for item in form.one("select", id="area").all("option")] == [
        "anywhere",
        *sorted(NAMES),
    ]
    pairs, found = chosen(served, area="district:E09000007")
    assert pairs == [("within", "district:E09000007")]
    assert found.one(id="sentence").words == "1 of 4 rows"
    assert "inside Camden (E09000007)" in [item.words for item in found.all("bdi")]
    kept = found.one("select", id="area").all("option", selected="")
    assert [item.words for item in kept] == ["Camden"]


def test_a_reference_with_signs_of_its_own_is_one(served: Served) -> None:
    pairs, found = chosen(served, area="district:E:1,2", relation="intersects")
    assert pairs == [("intersects", "district:E:1,2")]
    assert found.one(id="sentence").words == "2 of 4 rows"
    assert "touching Hackney (E:1,2)" in [item.words for item in found.all("bdi")]


@pytest.mark.parametrize("name", ["Ward 5", "ward 5", "5"])
def test_an_area_of_many_is_named_by_typing(name: str, served: Served) -> None:
    pairs, found = chosen(served, region="ward", region_name=name)
    assert pairs == [("within", "ward:5")]
    assert "inside Ward 5 (5)" in [item.words for item in found.all("bdi")]


def test_what_was_chosen_by_name_stays_on_a_form_that_nobody_touches(served: Served) -> None:
    for query in ("within=ward:5", "within=district:E09000007&bbox=0,51,3,52", "intersects=POINT%20(1%2051)"):
        found = page(served, f"/tree?{query}")
        answer = served.get(html.sent(found.one("form", class_="choose")))
        assert answer.status_code == 303
        canonical = urlsplit(found.one("link", rel="canonical").attributes["href"])
        assert answer.headers["location"] == f"{canonical.path}?{canonical.query}"


def test_a_box_in_another_reference_system_is_carried_along(served: Served) -> None:
    found = page(served, "/tree?bbox=0,0,700000,1300000&bbox-crs=EPSG:27700")
    assert found.one("input", id="west").attributes["value"] == ""
    location = served.get(html.sent(found.one("form", class_="choose"))).headers["location"]
    assert dict(parse_qsl(urlsplit(location).query))["bbox-crs"] == "EPSG:27700"


@pytest.mark.parametrize(
    ("query", "controls", "wanted"),
    [
        (
            "bbox=0,6000000,9,7000000&bbox-crs=EPSG:3857",
            dict(zip(("west", "south", "east", "north"), ["0", "51", "1", "52"], strict=True)),
            [("bbox", "0.0,51.0,1.0,52.0")],
        ),
        (
            "within=POLYGON((0 51,1 51,1 52,0 51))&near=0.5,51.5,900000",
            {"area": "district:E09000007"},
            [("within", "district:E09000007"), ("near", "0.5,51.5,900000.0")],
        ),
        (
            "intersects=0.5,51.5&within=0.5,51.5",
            {"region": "ward", "region-name": "Ward 9", "relation": "intersects"},
            [("intersects", "ward:9"), ("within", "0.5,51.5")],
        ),
    ],
)
def test_what_is_chosen_replaces_what_the_form_could_not_show(
    query: str, controls: dict[str, str], wanted: list[tuple[str, str]], served: Served
) -> None:
    found = page(served, f"/tree?{query}").one("form", class_="choose")
    answer = served.get(html.sent(found, **controls), headers=HTML)
    assert answer.status_code == 303, html.read(answer.text).words
    assert sorted(parse_qsl(urlsplit(answer.headers["location"]).query)) == sorted(wanted)


def test_a_name_that_is_none_is_told_with_those_near_it(served: Served) -> None:
    told = wrong(served, region="ward", region_name="Wrad 17")
    assert list(told) == ["region-name"]
    assert "no area is named 'Wrad 17'" in told["region-name"]
    assert "Ward 17" in told["region-name"]


def test_a_name_of_several_is_told_with_their_references(served: Served) -> None:
    told = wrong(served, region="ward", region_name="high street")
    assert told == {"region-name": "several areas are named 'high street': use a reference instead: 0, 1"}


@pytest.mark.parametrize(
    ("controls", "control", "detail"),
    [
        ({"west": "1"}, "south", "south, east and north are missing"),
        ({"west": "1", "south": "51", "east": "x", "north": "52"}, "west", "is no box"),
        ({"west": "1", "south": "52", "east": "2", "north": "51"}, "west", "the second number is more"),
        ({"west": "400", "south": "51", "east": "401", "north": "52"}, "west", "outside longitude"),
        ({"region_name": "Ward 5"}, "region", "choose what 'Ward 5' is"),
        ({"region": "ward"}, "region-name", "type the name"),
        ({"area": "district:E09000007", "region": "ward", "region_name": "5"}, "region-name", "one area"),
    ],
)
def test_what_is_wrong_leads_to_its_control(
    controls: dict[str, str], control: str, detail: str, served: Served
) -> None:
    told = wrong(served, **controls)
    assert list(told) == [control]
    assert detail in told[control]


def test_a_dataset_without_geometry_is_asked_for_no_place(served: Served) -> None:
    assert not page(served, "/nowhere").all(id="west")


def test_areas_of_points_are_not_offered_and_none_is_of_the_dataset_itself(served: Served) -> None:
    found = page(served, "/district")
    titles = [item.words for item in found.one("select", id="region").all("option")]
    assert titles == ["anywhere", "Wards"]
    assert not found.all("select", id="area")


def test_a_page_of_an_area_that_is_none_says_so_as_the_download_does(served: Served) -> None:
    for query in ("within=district:nobody", "within=absent:1", "bbox=0,52,1,51"):
        assert served.get(f"/tree.csv?{query}").status_code == 422
        page(served, f"/tree?{query}", 422)
