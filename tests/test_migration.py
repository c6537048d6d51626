"""docs/migration.md tells whoever comes from a former service what it meets, and what to type."""

import re
import shlex
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from uvicorn.main import main as uvicorn_command

from application.adapter import PORT
from application.api.middleware.cors import EXPOSED
from application.formats import FORMATS
from application.main import create_app
from application.settings import Settings
from tests.support import tables

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/migration.md").read_text()
RELOAD = r"`(uvicorn application\.main:app --reload --reload-dir [^`]+)`"


def row(start: str) -> str:
    """The table row whose first cell begins so."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| {start}")]
    return found


@pytest.mark.parametrize(
    "command",
    [
        "`./scripts/build-docker.sh`",
        "`docker run -p 8000:8000 -e DATASET_BUCKET=… -e AWS_… -e ENVIRONMENT=development ",
        "`pip install -r requirements.txt`",
        "`uvicorn application.main:app --reload --port 8000`",
        "`curl http://localhost:8000/health`",
        "`TestClient(app)`",
        "`mock_aws`",
        "`aws ecr create-repository",
        "`aws lambda update-function-code",
        "`git revert` and `git push`",
        "`aws ecr get-login-password",
    ],
)
def test_each_command_of_the_former_guide_has_a_row(command: str) -> None:
    assert row(command).count(" | ") == 1


def test_the_command_that_reloads_watches_the_application_alone() -> None:
    for page in (PAGE, (ROOT / "docs/commands.md").read_text().replace(".venv/bin/", "")):
        (command,) = re.findall(RELOAD, page)
        options = uvicorn_command.make_context("uvicorn", shlex.split(command)[1:]).params
        config = uvicorn.Config(options["app"], reload=options["reload"], reload_dirs=options["reload_dirs"])
        assert config.should_reload
        assert config.reload_dirs == [ROOT / "application"]
        assert options["port"] == PORT


def test_what_asks_for_changes_is_for_development_alone() -> None:
    pinned = r"^watchfiles==[\d.]+ \\$"
    assert re.search(pinned, (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert "watchfiles" not in (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize("lock", [path.name for path in sorted(ROOT.glob("requirements*.txt"))])
def test_no_lock_names_where_its_packages_came_from(lock: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links", (ROOT / lock).read_text())


def test_names_that_are_no_dataset_are_not_found_as_the_page_says(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    app = create_app(Settings(dataset_bucket=tmp_path.as_uri(), dataset_prefix="", log_level="CRITICAL"))
    told = row("a bad name")
    assert "was a 422 | 404" in told
    with TestClient(app) as client:
        for name in ("a%20b.csv", "NAME.txt"):
            assert f"`/{name}`" in told
            assert client.get(f"/{name.replace('NAME', 'sample')}").status_code == 404
        parquet = client.get("/sample.parquet").headers["content-type"]
    assert f"was `application/octet-stream` | `{parquet}` |" in PAGE
    assert parquet == FORMATS["parquet"].media_type


def test_the_headers_that_old_clients_read_are_told_and_exposed() -> None:
    assert {"X-Dataset", "X-Format", "Content-Disposition"} <= set(EXPOSED)
    (told,) = [part for part in PAGE.split("\n\n") if part.startswith("`X-Dataset`")]
    for word in ("`X-Format`", "Scripts of other origins", "`Access-Control-Expose-Headers`"):
        assert word in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("`S3_ENDPOINT_URL`, `S3_ENDPOINT`, `S3_USE_SSL`", "`AWS_ENDPOINT_URL`"),
        ("`PORT`", f"{PORT} in the image"),
        ("`mock_aws` of moto", "`moto_server`"),
    ],
)
def test_each_former_setting_has_its_row(name: str, words: str) -> None:
    assert words in row(name)
