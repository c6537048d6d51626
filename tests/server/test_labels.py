"""Values have names where another dataset says so; addresses keep the values."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from application.datasets import background
from tests.support import tables
from tests.support.serving import eventually, serving_folder


def test_frequent_values_have_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests run beside this one.
    monkeypatch.setattr(background, "LEAST_PRIORITY", 0)
    owners = {"entity": pa.array([90, 91, 90, 92]), "name": ["Camden", "", "Another", None]}
    tables.write(pa.table(owners), tmp_path / "organisation.parquet")
    trees = {"organisation-entity": ["90", "90", "91", "91", "92", "92", "x", "x"], "plain": ["90"] * 8}
    tables.write(pa.table(trees), tmp_path / "tree.parquet")
    label = {"labels": {"organisation-entity": "organisation:entity:name"}}
    (tmp_path / "tree.json").write_text(json.dumps(label))
    with serving_folder(tmp_path) as server:

        def columns() -> dict[str, dict[str, object]]:
            return {item["name"]: item for item in server.get("/datasets/tree").json()["columns"]}

        assert eventually(lambda: "top" in columns()["plain"])
        top = {item["value"]: item.get("label") for item in columns()["organisation-entity"]["top"]}
        assert top == {"90": "Camden", "91": None, "92": None, "x": None}
        assert all("label" not in item for item in columns()["plain"]["top"])
        assert len(server.get("/tree.json?organisation-entity=90").json()) == 2
        assert server.get("/tree.json?organisation-entity=Camden").json() == []


def test_labels_that_lead_nowhere_spoil_nothing(tmp_path: Path) -> None:
    tables.write(pa.table({"a": ["1", "1"]}), tmp_path / "tree.parquet")
    tables.write(pa.table({"b": ["1", "1"]}), tmp_path / "other.parquet")
    for place in ("nothing:entity:name", "other:entity:name", "tree:a:a"):
        (tmp_path / "tree.json").write_text(json.dumps({"labels": {"a": place}}))
        with serving_folder(tmp_path) as server:
            assert server.get("/datasets/tree").json()["labels"] == {"a": place}
