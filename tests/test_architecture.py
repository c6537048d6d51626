"""The page about the architecture says what `make check` holds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"


def layers() -> list[set[str]]:
    """The floors of the contract, from the top."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    contracts = tool["importlinter"]["contracts"]
    (found,) = (contract for contract in contracts if contract["type"] == "layers")
    assert found["exhaustive"]
    return [set(layer.split(" | ")) for layer in found["layers"]]


def rows() -> list[set[str]]:
    """The rooms of the page's table, from the top."""
    table = PAGE.read_text().partition("| room |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    return [{name.rstrip("/") for name in re.findall(r"`([^`]+)`", cell)} for cell in cells]


def test_the_page_has_every_room_in_the_order_of_the_contract() -> None:
    floors, shown = layers(), rows()
    for row in shown:
        taken = set[str]()
        while taken < row:
            taken |= floors.pop(0)
        assert taken == row
    assert not floors


def test_every_room_has_its_place() -> None:
    rooms = {
        path.stem
        for path in (ROOT / "application").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__"} == set().union(*layers())
