"""The command line does what HTTP does, and leaves no short file behind."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dataset").mkdir()
    table = pa.table({"organisation-entity": [1, 2, 1], "name": ["a", "b", None]})
    pq.write_table(table, tmp_path / "dataset" / "trees.parquet")
    monkeypatch.setenv("DATASET_BUCKET", str(tmp_path))
    return tmp_path


def test_export_writes_the_filtered_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder / "out.csv"
    assert main(["export", "trees.csv", "organisation-entity=1", "-o", str(output)]) == 0
    with output.open(newline="") as file:
        assert list(csv.reader(file)) == [["organisation-entity", "name"], ["1", "a"], ["1", ""]]
    assert f"{output.stat().st_size:,} bytes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope.csv"], "There is no dataset 'nope'"),
        (["trees.zip"], "There is no format 'zip'"),
        (["trees.csv", "organisation-entity=abc"], "holds integers"),
    ],
)
def test_a_failed_export_says_why_and_leaves_nothing(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *arguments, "-o", str(folder / "out.csv")]) != 0
    assert said in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["dataset"]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_list_tells_all_datasets_and_what_is_wrong_with_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dataset" / "broken.parquet").write_bytes(b"no Parquet, but long enough to be one")
    (folder / "dataset" / "datasets.json").write_text(
        '{"trees": {"title": "Trees"}, "broken": {"title": "B"}}'
    )
    found = {item["name"]: item for item in json.loads(told(["list", "--json"], capsys))["datasets"]}
    assert (found["trees"]["title"], found["trees"]["rows"], found["broken"]["title"]) == ("Trees", 3, "B")
    _, *lines = told(["list"], capsys).splitlines()
    assert [line.split()[0] for line in lines if line] == ["broken", "trees"]
    assert found["broken"]["problem"] in lines[0]


@pytest.mark.usefixtures("folder")
def test_describe_tells_columns_and_formats(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(told(["describe", "trees", "--json"], capsys))
    assert [column["name"] for column in found["columns"]] == ["organisation-entity", "name"]
    shown = told(["describe", "trees"], capsys)
    assert all(item["extension"] in shown for item in found["formats"])
    assert main(["describe", "nope"]) == 1


@pytest.mark.usefixtures("folder")
def test_estimate_tells_rows_and_bytes_without_writing(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(told(["estimate", "trees.csv", "organisation-entity=1", "--json"], capsys))
    assert (found["rows"], [item["extension"] for item in found["formats"]]) == (2, ["csv"])
    assert "parquet" in told(["estimate", "trees"], capsys)
    assert main(["estimate", "trees", "nope=1"]) == 1


def test_estimate_tells_the_rows_that_no_area_has(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = pa.table({"geometry": ["POINT (1 1)", "", None, "nowhere"]})
    pq.write_table(places, folder / "dataset" / "places.parquet")
    asked = ["estimate", "places.csv", "bbox=0,0,2,2"]
    assert json.loads(told([*asked, "--json"], capsys))["rows_without_geometry"] == 3
    assert "3 without a geometry that can be read" in told(asked, capsys)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("setting", [("METRICS", "all"), ("CACHE_MAX_AGE", "-1"), ("LOG_LEVEL", "loud")])
@pytest.mark.parametrize("command", [["serve"], ["export", "trees.csv", "-o", "out.csv"]])
def test_a_setting_that_is_not_understood_is_named_in_one_line(
    command: list[str],
    setting: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(*setting)
    assert main(command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"download-lambda: These settings are not understood: {setting[0]}: Input should be"
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DATASET_BUCKET", "", "DATASET_BUCKET is not set"),
        ("SPOOL_DIR", "/absent", "SPOOL_DIR is not a folder"),
        ("EXPORT_BUCKET", "./folder", "EXPORT_BUCKET names no bucket"),
        ("RATE_LIMIT", "often", "RATE_LIMIT"),
        ("TRUSTED_PROXIES", "everybody", "TRUSTED_PROXIES"),
    ],
)
def test_serve_says_in_one_line_with_what_it_cannot_start(
    setting: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(setting, value)
    assert main(["serve"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"download-lambda: {said}")


def test_an_export_that_breaks_midway_keeps_the_old_file(folder: Path) -> None:
    path = folder / "dataset" / "trees.parquet"
    body = bytearray(path.read_bytes())
    body[4:60] = b"\xff" * 56
    path.write_bytes(body)
    output = folder / "out.csv"
    output.write_text("old")
    assert main(["export", "trees.csv", "-o", str(output)]) == 1
    assert output.read_text() == "old"
    assert sorted(item.name for item in folder.iterdir()) == ["dataset", "out.csv"]


def test_the_module_is_the_command(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "application", "export", "trees.json", "-o", str(folder / "out.json")],
        env={**os.environ, "DATASET_BUCKET": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "out.json").read_text().startswith('[{"organisation-entity":1')


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_workers_are_at_least_one(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--workers", count])
    assert ended.value.code == 2
    assert "--workers" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["export", "trees.csv", "-o", "x"], ["fetch", "http://x/trees.csv"]])
def test_what_is_no_parameter_is_told(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command[:2], "organisation-entity", *command[2:]])
    assert ended.value.code == 2
    assert "'organisation-entity' is not PARAMETER=VALUE" in capsys.readouterr().err
