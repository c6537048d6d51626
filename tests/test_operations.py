"""What docs/operations.md, the alarms and the dashboard speak of is what the service shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from application.telemetry import facts
from application.telemetry.emf import NAMESPACE, UNITS
from application.telemetry.facts import RequestFacts
from tests.support import tables
from tests.support.serving import serving_folder

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/operations.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy/grafana/download-lambda.json").read_text())
PREFIX = "download_lambda_"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every sample of a real page, with its labels."""
    folder = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), folder / "sample.parquet")
    (folder / "text.parquet").write_bytes(b"no Parquet at all, but long enough to be one")
    with serving_folder(folder, metrics="prometheus") as served:
        assert served.get("/sample.csv").status_code == 200
        assert served.get("/text.csv").status_code == 500
        page = served.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def queries() -> Iterator[str]:
    """Every query of the dashboard, and every alarm of the page."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    yield from re.findall(r"^ +expr: (.+)$", PAGE, re.MULTILINE)


def table(title: str, *, level: str = "##") -> list[list[str]]:
    """The rows of the table under a title."""
    section = PAGE.split(f"\n{level} {title}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_there_are_queries() -> None:
    assert len(list(queries())) > 20


@pytest.mark.parametrize("query", list(queries()))
def test_every_metric_of_a_query_is_on_the_page_with_its_labels(
    query: str, samples: dict[str, set[str]]
) -> None:
    metrics = re.findall(rf"{PREFIX}\w+", query)
    assert metrics
    assert set(metrics) <= samples.keys()
    for metric, selector in re.findall(rf"({PREFIX}\w+)\{{([^}}]*)\}}", query):
        used = set(re.findall(r"(\w+)=", selector)) - {"job"}
        assert used <= samples[metric]
    for labels in re.findall(r"by \(([^)]*)\)", query):
        shown = set().union(*(samples[metric] for metric in metrics))
        assert {label.strip() for label in labels.split(",")} - {"instance"} <= shown
    assert query.count("(") == query.count(")")
    assert query.count("{") == query.count("}")


def test_every_metric_of_the_page_is_documented_with_its_labels(samples: dict[str, set[str]]) -> None:
    documented = {
        PREFIX + name: set(names(cells[1])) for cells in table("Metrics") for name in names(cells[0])
    }
    shown: dict[str, set[str]] = {}
    for name, labels in samples.items():
        shown.setdefault(re.sub(r"_(bucket|sum|count)$", "", name), set()).update(labels - {"le"})
    assert documented == shown


def test_every_metric_of_the_page_is_on_the_dashboard(samples: dict[str, set[str]]) -> None:
    used = {name for query in queries() for name in re.findall(rf"{PREFIX}\w+", query)}
    missing = {re.sub(r"_(bucket|sum|count)$", "", name) for name in samples} - {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in used
    }
    assert not missing


def test_every_panel_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_cloudwatchs_metrics_are_documented_with_their_units() -> None:
    documented = {names(cells[0])[0]: cells[1] for cells in table("CloudWatch", level="###")}
    assert documented == UNITS
    assert f"namespace `{NAMESPACE}`" in PAGE


def test_every_field_of_the_access_line_is_documented_and_no_other() -> None:
    documented = {name for cells in table("One line a request", level="###") for name in names(cells[0])}
    assert documented == RequestFacts().fields().keys()


def test_every_outcome_is_documented() -> None:
    documented = {names(cells[0])[0] for cells in table("Outcomes", level="###")}
    assert documented == {facts.COMPLETE, facts.NOT_MODIFIED, facts.REFUSED, facts.CANCELLED, facts.ABORTED}


def examples() -> Iterator[dict[str, Any]]:
    """The fields of the request lines that the page shows."""
    for line in PAGE.splitlines():
        if " INFO request " in line:
            yield dict(re.findall(r"(\w+)=(\S+)", line))
        elif line.startswith('{"time"'):
            yield {
                name: value
                for name, value in json.loads(line).items()
                if name not in ("time", "level", "message", "logger")
            }


def test_the_lines_shown_have_the_fields_of_today() -> None:
    shown = list(examples())
    assert len(shown) == 6
    known = list(RequestFacts().fields())
    for fields in shown:
        assert list(fields) == [name for name in known if name in fields]
        assert {"request_id", "status", "outcome", "bytes", "duration"} <= fields.keys()
