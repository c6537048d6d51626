"""The image, built by walking its Dockerfile in a plain folder, started as Docker would start it."""

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from application import adapter
from tests.deployment.dockerfile import Build, Stage, ignored, read
from tests.support import tables
from tests.support.s3_server import s3_server
from tests.support.serving import eventually

ROOT = Path(__file__).parents[2]
KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"

pytestmark = pytest.mark.deployment


@dataclass(frozen=True, slots=True)
class Container:
    """A process started from the image's command, and what it answers."""

    image: Stage
    process: "subprocess.Popen[bytes]"
    port: int
    env: dict[str, str]

    def get(self, path: str, **headers: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=15) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the image's user may look into; pytest's own are private."""
    made = Path(tempfile.mkdtemp(prefix="image-"))
    made.chmod(0o755)
    yield made
    subprocess.run(["chmod", "-R", "u+w", str(made)], check=True)
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def build(folder: Path) -> Build:
    """The Dockerfile, walked; this machine's Python stands for the base image's."""
    prefix = Path(sys.base_prefix)
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    for part in ("bin", library):
        shutil.copytree(
            prefix / part,
            folder / "usr/local" / part,
            symlinks=True,
            ignore=shutil.ignore_patterns("test", "idlelib", "__pycache__", "site-packages"),
        )
    for shared in (prefix / "lib").glob("libpython*"):
        shutil.copy2(shared, folder / "usr/local/lib")
    for packages in (prefix / library / "site-packages").glob("pip*"):
        shutil.copytree(packages, folder / "usr/local" / library / "site-packages" / packages.name)
    python = folder / "usr/local/bin/python"
    if not python.exists():
        python.symlink_to("python3")
    build = Build(ROOT, folder, folder / "usr/local")
    build.run()
    return build


@pytest.fixture(scope="module")
def image(build: Build) -> Stage:
    """The last stage, nothing in it to be written."""
    subprocess.run(["chmod", "-R", "a-w", str(build.stages["final"].folder)], check=True)
    return build.stages["final"]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server with the bucket `open`."""
    bucket = tmp_path_factory.mktemp("buckets")
    (bucket / "open/dataset").mkdir(parents=True)
    tables.write(tables.sample(), bucket / "open/dataset/sample.parquet")
    with s3_server(bucket, KEY, SECRET) as url:
        yield url


@pytest.fixture(scope="module")
def container(image: Stage, endpoint: str) -> Iterator[Container]:
    """The very command, with the image's environment alone (so without HOME), over a bucket."""
    with _running(image, endpoint) as started:
        yield started


@contextmanager
def _running(image: Stage, endpoint: str, **more: str) -> Iterator[Container]:
    """The image's command with what `docker run -e` gives it, on a port of its own, until the block ends."""
    port = _free_port()
    env = image.env | {
        "PORT": str(port),
        "DATASET_BUCKET": "open",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        **more,
    }
    process = _start(image, image.command, env)
    container = Container(image, process, port, env)
    try:
        assert eventually(lambda: process.poll() is not None or _is_healthy(container), 30)
        yield container
    finally:
        process.terminate()
        _, error = process.communicate(timeout=15)
    assert process.returncode in (0, -15), error.decode()


def _start(image: Stage, command: list[str], env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a command as the image's user where we may change ours, else as ourselves."""
    user, group = (int(part) for part in image.user.split(":"))
    program = shutil.which(command[0], path=env["PATH"])
    assert program, command
    return subprocess.Popen(
        [program, *command[1:]],
        env=env,
        cwd=image.path(image.workdir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **({"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}),
    )


def _is_healthy(container: Container) -> bool:
    try:
        return json.loads(container.get("/health"))["status"] == "healthy"
    except (urllib.error.URLError, ConnectionError):
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_every_base_is_pinned_by_digest_and_named_by_version(build: Build) -> None:
    for stage in build.stages.values():
        name, _, digest = stage.base.partition("@")
        assert any(character.isdigit() for character in name.rpartition(":")[2]), stage.base
        assert digest.startswith("sha256:"), stage.base
        assert len(digest) == 71, stage.base


def test_the_image_runs_the_python_that_ci_runs(image: Stage) -> None:
    workflow = (ROOT / ".github/workflows/test.yml").read_text()
    (tested,) = re.findall(r'python-version: "([\d.]+)"', workflow)
    assert f":{tested}." in image.base


def test_the_adapter_comes_from_its_own_image_to_where_lambda_looks(build: Build, image: Stage) -> None:
    assert image.copied == [(build.stages["adapter"].base, "/lambda-adapter")]
    (copy,) = (
        step for step in read((ROOT / "Dockerfile").read_text()) if step.flags.get("from") == "adapter"
    )
    assert copy.words[-1] == "/opt/extensions/lambda-adapter"


def test_the_adapter_and_the_service_agree_on_port_and_path(image: Stage) -> None:
    # Both follow it, so a function that sets another moves both.
    assert image.env["PORT"] == str(adapter.PORT)
    assert not {*adapter.PORT_NAMES, *adapter.READINESS_NAMES} - {"PORT"} & image.env.keys()
    assert image.env["AWS_LWA_READINESS_CHECK_PATH"] == "/health"
    assert image.env["AWS_LWA_INVOKE_MODE"] == "response_stream"


def test_only_the_code_and_the_lock_reach_the_build() -> None:
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for wanted in ("application/main.py", "application/api/routes.py", "requirements.txt", "scripts/slim.py"):
        assert not ignored(patterns, wanted), wanted
    for unwanted in (
        ".git/config",
        ".env",
        "tests/test_main.py",
        "scripts/deploy-function.sh",
        "application/__pycache__/main.cpython-311.pyc",
    ):
        assert ignored(patterns, unwanted), unwanted


def test_every_module_is_compiled_for_nothing_can_be_written(image: Stage) -> None:
    for module in (*image.path("/opt/app").rglob("*.py"), *image.path("/opt/venv/lib").rglob("*.py")):
        compiled = module.parent / "__pycache__" / f"{module.stem}.{sys.implementation.cache_tag}.pyc"
        assert compiled.is_file(), module
        # PEP 552: a hash, and not to be checked.
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", module


def test_no_installer_and_no_tests_are_in_the_image(image: Stage) -> None:
    names = {path.name for path in image.path("/opt").rglob("*") if path.is_dir()}
    assert not names & {"pip", "setuptools", "tests"}


def test_the_packages_keep_what_botocore_is_asked_for(image: Stage) -> None:
    asked = {
        name
        for module in image.path("/opt/app/application").rglob("*.py")
        for name in re.findall(r"create_client\(\s*\"([\w-]+)\"", module.read_text())
    }
    (data,) = image.path("/opt/venv").glob("lib/*/site-packages/botocore/data")
    kept = {path.name for path in data.iterdir() if path.is_dir()}
    # What botocore itself asks when it looks for credentials.
    assert kept >= asked | {"sts", "sso", "sso-oidc"}


def test_the_container_passes_its_health_check(container: Container) -> None:
    check = _start(container.image, container.image.health, container.env)
    _, error = check.communicate(timeout=15)
    assert check.returncode == 0, error.decode()


def test_a_container_for_development_shows_the_api(image: Stage, endpoint: str, container: Container) -> None:
    with _running(image, endpoint, AWS_REGION="eu-west-2", ENVIRONMENT="development") as developed:
        assert b"<html" in developed.get("/docs")
        assert "/{dataset}.{extension}" in json.loads(developed.get("/openapi.json"))["paths"]
        assert developed.get("/sample.csv") == container.get("/sample.csv")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        container.get("/docs")


def test_the_health_check_fails_where_nothing_listens(container: Container) -> None:
    check = _start(container.image, container.image.health, container.env | {"PORT": str(_free_port())})
    check.communicate(timeout=15)
    assert check.returncode != 0


def test_the_health_check_looks_where_the_adapter_does(container: Container) -> None:
    elsewhere = {"PORT": str(_free_port()), "AWS_LWA_PORT": str(container.port)}
    check = _start(container.image, container.image.health, container.env | elsewhere)
    _, error = check.communicate(timeout=15)
    assert check.returncode == 0, error.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
def test_the_container_is_not_root(container: Container) -> None:
    status = Path(f"/proc/{container.process.pid}/status").read_text()
    assert "\nUid:\t10001\t10001\t10001\t10001\n" in status


def test_the_extension_is_the_one_in_the_image(container: Container) -> None:
    assert json.loads(container.get("/ready"))
    container.get("/sample.csv")
    maps = Path(f"/proc/{container.process.pid}/maps").read_text()
    loaded = {line.split()[-1] for line in maps.splitlines() if line.endswith(".duckdb_extension")}
    assert loaded
    assert all(path.startswith(str(container.image.folder)) for path in loaded)


def test_every_format_comes_whole_from_the_image(container: Container) -> None:
    rows = tables.sample().num_rows
    assert container.get("/sample.csv").count(b"\n") >= rows + 1
    assert len(json.loads(container.get("/sample.json"))) == rows
    assert container.get("/sample.ndjson").count(b"\n") == rows
    filtered = container.get("/sample.parquet?exclude_field=" + tables.sample().column_names[-1])
    assert pq.read_table(pa.BufferReader(filtered)).num_rows == rows


def test_the_codings_work_in_the_image(container: Container) -> None:
    plain = container.get("/sample.csv")
    packed = container.get("/sample.csv", **{"Accept-Encoding": "zstd"})
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == plain
    assert gzip.decompress(container.get("/sample.csv", **{"Accept-Encoding": "gzip"})) == plain


def test_nothing_was_written_into_the_image(container: Container) -> None:
    container.get("/sample.csv")
    newest = max(path.lstat().st_mtime for path in container.image.folder.rglob("*"))
    assert newest < Path(f"/proc/{container.process.pid}").stat().st_mtime
