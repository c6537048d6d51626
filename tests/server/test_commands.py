"""Every parameter, by each command, in the manifest, in the log and on the page of metrics: one query."""

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pytest

from application.cli import main
from application.query.parameters import PARAMETERS
from tests.support import tables
from tests.support.serving import Served, eventually, serving_folder

PARAMETERS_ASKED = (
    ("field", 'name,"a, b"'),
    ("exclude_field", "name"),
    ("sort", "-entity"),
    ("limit", "2"),
    ("offset", "1"),
    ("period", "historical"),
    ("preset", "excel"),
    ("bom", "true"),
    ("delimiter", ";"),
    ("header", "false"),
    ("line_end", "crlf"),
    ("safe", "true"),
    ("bbox", "-0.5,50.5,0.05,51.5"),
    ("bbox-crs", "EPSG:27700"),
    ("intersects", "0,51"),
    ("within", "POLYGON ((-1 50, 0.05 50, 0.05 52, -1 52, -1 50))"),
    ("near", "0,51,1000"),
    ("geometry", "geojson"),
    ("crs", "EPSG:27700"),
    ("filename", "trees of mine.csv".replace(" ", "-")),
)
FILTERS_ASKED = (
    ("name__icontains", "Ä+&=%"),
    ("entity__in", "1,2"),
    ("entity__notnull", ""),
    ("a, b", "x y"),
)
# What an answer is saved as decides no bytes, and a reference system none without a box.
BESIDE = {"filename", "bbox-crs"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("commands")
    table = pa.table(
        {
            "entity": pa.array([1, 2, 3], pa.int64()),
            "name": ["ä+&=%1", "=2", None],
            "a, b": ["x y", "", "x y"],
            "end-date": ["2020", "", None],
            "point": ["POINT (0 51)", "POINT (0.1 51.1)", None],
        }
    )
    tables.write(table, root / "dataset/trees.parquet")
    return root


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    with serving_folder(root, dataset_prefix="dataset", metrics="prometheus") as found:
        yield found


def test_every_parameter_is_asked_for() -> None:
    assert {name for name, _ in PARAMETERS_ASKED} == PARAMETERS.keys()


@pytest.mark.parametrize("pair", [*PARAMETERS_ASKED, *FILTERS_ASKED], ids="=".join)
def test_commands_and_manifest_take_what_the_address_takes(
    pair: tuple[str, str],
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATASET_BUCKET", served.lifespan.settings.dataset_bucket)
    monkeypatch.chdir(tmp_path)
    address, asked = f"{served.url}/trees.csv", "=".join(pair)
    expected = served.get(f"/trees.csv?{urlencode([pair])}")
    assert expected.status_code == 200
    is_other = expected.content != served.get("/trees.csv").content
    assert is_other or pair[0] in {*BESIDE, "entity__notnull"}
    assert main(["export", "trees.csv", asked, "-o", "exported.csv"]) == 0
    assert main(["fetch", address, asked, "-o", "fetched.csv"]) == 0
    assert main(["fetch", f"{address}?{urlencode([pair])}", "-o", "addressed.csv"]) == 0
    for name in ("exported.csv", "fetched.csv", "addressed.csv"):
        assert Path(name).read_bytes() == expected.content
    capsys.readouterr()
    assert main(["verify", "fetched.csv", address, asked]) == 0
    Path("fetched.csv").write_bytes(b"x" + expected.content)
    assert main(["verify", "fetched.csv", address, asked]) == 1
    told = served.get(f"/datasets/trees/manifest?{urlencode([('format', 'csv'), pair])}").json()
    assert (told["e_tag"], told["bytes"]) == (expected.headers["etag"], len(expected.content))
    assert told["sha256"] == hashlib.sha256(expected.content).hexdigest()
    plain = served.get("/datasets/trees/manifest?format=csv").json()
    assert (told["query"] != plain["query"]) == (pair[0] not in BESIDE)


def test_a_fetched_file_has_the_name_asked_for(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", f"{served.url}/trees.csv", "filename=mine"]) == 0
    assert main(["fetch", f"{served.url}/trees.csv?filename=others.CSV"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "others.CSV"]


def test_a_name_that_is_a_path_leads_nowhere(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    assert main(["fetch", f"{served.url}/trees.csv", "filename=../out.csv"]) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]


def test_the_log_tells_all_that_was_asked_for(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [pair for pair in PARAMETERS_ASKED if pair[0] not in {"field", "exclude_field", *BESIDE}]
    settings = {"dataset_prefix": "dataset", "log_level": "INFO", "log_format": "text"}
    with serving_folder(root, **settings) as served:
        assert served.client.post("/trees.csv", data=dict(asked)).status_code == 200
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "path=/trees.csv" in line]
    for word in ("method=POST", "resource=download", "order=", "limit=2", "offset=1", "period=", "dialect="):
        assert word in line


def test_the_metrics_count_a_form_as_a_download(served: Served) -> None:
    def counted() -> float:
        page = served.get("/metrics").text
        return sum(
            float(line.rpartition(" ")[2])
            for line in page.splitlines()
            if line.startswith("download_lambda_requests_total") and 'resource="download"' in line
        )

    before = counted()
    body = served.client.post("/trees.csv", data={"sort": "-entity", "limit": "1"})
    assert next(iter(csv.DictReader(io.StringIO(body.text))))["entity"] == "3"
    # A request is counted when it has ended, which is after its last byte.
    assert eventually(lambda: counted() == before + 1)
