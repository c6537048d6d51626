"""The adapter that is tested is the one that is deployed."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "lambda-adapter.sh"
DOCKERFILES = sorted(ROOT.glob("Dockerfile*"))


def script_version() -> str:
    (found,) = re.findall(r"^readonly VERSION=(.+)$", SCRIPT.read_text(), re.MULTILINE)
    return found


def test_every_image_has_the_adapter_that_is_tested() -> None:
    named = {
        version
        for path in DOCKERFILES
        for version in re.findall(r"aws-lambda-adapter:([^\s@]+)", path.read_text())
    }
    assert named == {script_version()}


def test_a_ready_adapter_is_taken_by_name(tmp_path: Path) -> None:
    ready = tmp_path / "lambda-adapter"
    assert run(LAMBDA_ADAPTER=str(ready)).returncode == 3
    ready.touch(mode=0o755)
    assert run(LAMBDA_ADAPTER=str(ready)).stdout == f"{ready}\n"


def test_an_adapter_in_the_cache_is_not_built_again(tmp_path: Path) -> None:
    cached = tmp_path / "download-lambda" / f"lambda-adapter-{script_version()}"
    cached.parent.mkdir()
    cached.touch(mode=0o755)
    assert run(XDG_CACHE_HOME=str(tmp_path)).stdout == f"{cached}\n"


@pytest.mark.parametrize("cargo", [None, "#!/bin/sh\nexit 101\n"])
def test_what_cannot_be_built_is_said_in_one_line(tmp_path: Path, cargo: str | None) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "mkdir", "mktemp", "rm", "env"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    if cargo:
        (programs / "cargo").write_text(cargo)
        (programs / "cargo").chmod(0o755)
    ended = run(PATH=str(programs), XDG_CACHE_HOME=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith(f"lambda_web_adapter {script_version()} is left out: cargo ")
    assert ended.stderr.count("\n") == 1
    assert not list((tmp_path / "download-lambda").glob("*")) if cargo else True


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    given = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment}
    return subprocess.run([SCRIPT], env=given, capture_output=True, text=True, check=False, timeout=30)
