"""Whatever a user can set, ask for or run is described in the docs."""

import argparse
import re
from pathlib import Path

import pytest

from application import cli, demo
from application.api.problems import PROBLEMS, Problem
from application.formats import FORMATS
from application.query.operators import OPERATORS, Operator
from application.query.parameters import PARAMETERS, Parameter
from application.query.planning_data import NAMED_FILTERS, NamedFilter
from application.settings import Settings
from tests.support.tools import TOOLS, Tool

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
# Told by the router and by the middleware, so not in the table.
OTHER_CODES = (
    *("unauthorized", "rate-limited", "too-many-downloads", "bad-request"),
    *("not-found", "method-not-allowed", "precondition-failed", "range-not-satisfiable", "internal"),
)


def rows(page: str) -> set[str]:
    """What the first cells of a page's tables name in code."""
    cells = re.findall(r"^\| (.+?) \|", (ROOT / page).read_text(), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def table_row(page: str, name: str, value: str = "") -> list[str]:
    """The cells of the row whose first cell is that name, and a value of that pattern."""
    pattern = rf"^\| `{re.escape(name)}{value}` \|(.+)\|$"
    (found,) = re.findall(pattern, (ROOT / page).read_text(), re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def command_names() -> list[str]:
    parser = cli.parser()
    (commands,) = (item for item in parser._actions if isinstance(item, argparse._SubParsersAction))
    return list(commands.choices)


def make_targets() -> list[str]:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return phony.split()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert name.upper() in rows("docs/configuration.md")


@pytest.mark.parametrize(
    "name",
    [name for name, field in Settings.model_fields.items() if isinstance(field.default, int | float | str)],
)
def test_the_documented_default_of_a_setting_is_its_default(name: str) -> None:
    default = Settings.model_fields[name].default
    shown = f"`{default}`" if default != "" else "none"
    assert table_row("docs/configuration.md", name.upper())[0] == shown


def test_no_setting_is_documented_that_is_not_there() -> None:
    assert rows("docs/configuration.md") == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_is_documented_with_its_media_type_and_use(extension: str) -> None:
    row = FORMATS[extension]
    assert table_row("docs/api.md", extension)[:2] == [f"`{row.media_type}`", row.use]


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=lambda row: row.name)
def test_every_operator_is_documented_with_its_words_and_what_repeats_mean(operator: Operator) -> None:
    meaning, repeated = table_row("docs/api.md", operator.name)
    assert meaning.startswith(f"{operator.words} ")
    assert repeated == operator.repeats


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda row: row.name)
def test_every_parameter_is_documented_in_its_words(parameter: Parameter) -> None:
    (meaning,) = table_row("docs/api.md", f"{parameter.name}=", "[A-Z]+")
    assert meaning.startswith(parameter.words)
    assert ("repeatable" in meaning) == parameter.repeatable


@pytest.mark.parametrize("named", NAMED_FILTERS.values(), ids=lambda row: row.column)
def test_every_named_filter_is_documented_with_its_vocabulary(named: NamedFilter) -> None:
    (meaning,) = table_row("docs/api.md", f"{named.column}=", "[A-Z]+")
    assert meaning.endswith("empty: no filter")
    assert all(f"`{word}`" in meaning for word in named.vocabulary)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.code)
def test_every_problem_code_is_documented_with_its_status(problem: Problem) -> None:
    cells = table_row("docs/api.md", problem.code)
    assert (cells[0], cells[-1]) == (str(problem.status), "yes" if problem.retry else "no")


@pytest.mark.parametrize("code", OTHER_CODES)
def test_the_codes_outside_the_table_are_documented(code: str) -> None:
    assert code in rows("docs/api.md")


@pytest.mark.parametrize(("name", "tool"), TOOLS.items(), ids=TOOLS)
def test_every_reader_is_documented_with_what_it_can_do(name: str, tool: Tool) -> None:
    ways = {"whole": tool.whole, "part": tool.part, "resume": tool.resume}
    told = ["after a fetch" if way in tool.after_a_fetch else "yes" if ways[way] else "–" for way in ways]
    assert table_row("docs/readers.md", name) == [tool.extension, *told]


def test_no_reader_is_documented_that_is_not_tried() -> None:
    assert rows("docs/readers.md") == set(TOOLS)


@pytest.mark.parametrize("command", command_names())
def test_every_command_is_documented(command: str) -> None:
    named = [name for name in rows("docs/commands.md") if name.startswith("download-lambda ")]
    assert any(name.split()[1] == command for name in named)


def test_no_command_is_documented_that_is_not_there() -> None:
    named = {name.split()[1] for name in rows("docs/commands.md") if name.startswith("download-lambda ")}
    assert named == set(command_names())


def test_every_make_target_is_documented_and_no_other() -> None:
    named = {name.removeprefix("make ") for name in rows("docs/commands.md") if name.startswith("make ")}
    assert named == set(make_targets())


def test_the_first_page_is_read_at_once() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_page_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        linked = page.parent / target if target else page
        assert linked.is_file(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", [url.split("/", 3)[3] for url, _ in demo.urls(8000)])
def test_the_demo_offers_only_what_the_docs_describe(path: str) -> None:
    target, _, query = path.partition("?")
    extension = target.rpartition(".")[2]
    assert extension in FORMATS or f"/{target}" in rows("docs/api.md")
    for pair in filter(None, query.split("&")):
        _, mark, operator = pair.partition("=")[0].rpartition("__")
        assert not mark or operator in OPERATORS
