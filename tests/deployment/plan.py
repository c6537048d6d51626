"""What Terraform makes of a module, with a stub in the place of the AWS provider and of AWS.

What only AWS can know (an ARN, a policy's JSON) is made up by Terraform's own mocks.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.terraform import ROOT

SCRIPTS = Path(__file__).parents[2] / "scripts"
STUB_MISSING = 3
MOCKED = """
mock_provider "aws" {}

run "module" {
  command = apply
}
"""


class Refused(Exception):
    """Terraform does not plan it; the text is all that it says."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The values of each resource and data source by its address, and the outputs."""

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, Any]


@cache
def _configuration() -> str:
    """The configuration that has the stub; without it the test is left out, and in CI fails."""
    if shutil.which("terraform") is None:
        said = "terraform is not installed"
    else:
        done = subprocess.run([SCRIPTS / "terraform-stub.sh"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
        assert done.returncode == STUB_MISSING, done.stderr
        said = done.stderr.strip()
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


def terraform(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        ["terraform", *words],
        cwd=folder,
        env=env | {"TF_CLI_CONFIG_FILE": _configuration()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def copied(tmp_path: Path, module: Path) -> Path:
    """A copy of all modules; the path of one in it, with the modules that it calls fetched."""
    copy = tmp_path / "terraform"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".terraform*"), dirs_exist_ok=True)
    folder = copy / module.relative_to(ROOT)
    fetched = terraform(folder, "get")
    assert fetched.returncode == 0, fetched.stderr
    return folder


def plan_of(tmp_path: Path, module: Path, **variables: Any) -> Plan:
    """What Terraform makes of a module with these variables; raises Refused."""
    folder = copied(tmp_path, module)
    (folder / "plan.tftest.hcl").write_text(MOCKED)
    (folder / "given.tfvars.json").write_text(json.dumps(variables))
    done = terraform(folder, "test", "-json", "-verbose", "-var-file=given.tfvars.json")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        errors = [line["diagnostic"] for line in said if line["type"] == "diagnostic"]
        raise Refused("\n".join(f"{error['summary']}: {error.get('detail', '')}" for error in errors))
    (state,) = (line["test_state"] for line in said if line["type"] == "test_state")
    found = state.get("values", state)
    outputs = {
        name: output["value"] for name, output in found.get("outputs", {}).items() if "value" in output
    }
    return Plan({each["address"]: each["values"] for each in _resources(found["root_module"])}, outputs)


def _resources(module: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


Planned = Callable[..., Plan]
