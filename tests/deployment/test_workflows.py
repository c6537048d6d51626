"""GitHub's workflows: nothing they use can move, and they may do no more than they need."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
workflows = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    found = yaml.safe_load(file.read_text())
    # YAML 1.1 reads the key `on` as a truth.
    return {("on" if key is True else key): value for key, value in found.items()}


@workflows
def test_every_action_is_pinned_by_its_commit_and_named_by_its_version(file: Path) -> None:
    for used in re.findall(r"uses: (.+)", file.read_text()):
        assert used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used


def test_an_action_has_one_version_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for file in FILES:
        for action, pin in re.findall(r"uses: ([\w/-]+)@(.+)", file.read_text()):
            pins.setdefault(action, set()).add(pin)
    assert all(len(found) == 1 for found in pins.values()), pins


@workflows
def test_a_job_has_its_own_permissions_and_a_limit_of_time(file: Path) -> None:
    workflow = read(file)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"].items() <= {"contents": "read", "id-token": "write"}.items(), name
        assert "timeout-minutes" in job or "uses" in job, name
        # Who may speak for the repository in AWS is bound to an environment with its protection.
        assert ("id-token" in job["permissions"]) == ("environment" in job), name


@workflows
def test_what_is_written_by_others_reaches_scripts_as_data_only(file: Path) -> None:
    for job in read(file)["jobs"].values():
        assert all("${{" not in step.get("run", "") for step in job.get("steps", ()))


def test_a_deployment_is_never_cancelled_halfway() -> None:
    deploy = read(ROOT / ".github/workflows/deploy.yml")
    assert deploy["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    for name in ("staging", "production"):
        assert deploy["jobs"][name]["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": False}


def test_a_rollback_waits_for_a_deployment_to_its_own_environment_alone() -> None:
    rollback = read(ROOT / ".github/workflows/rollback.yml")
    assert "concurrency" not in rollback
    assert rollback["jobs"]["rollback"]["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }


def test_production_gets_the_digest_that_staging_proved_after_it_did() -> None:
    jobs = read(ROOT / ".github/workflows/deploy.yml")["jobs"]
    assert jobs["staging"]["needs"] == "test"
    assert jobs["production"]["needs"] == "staging"
    image = jobs["production"]["steps"][-1]["env"]["IMAGE"]
    assert image == "${{ vars.ECR_REPOSITORY }}@${{ needs.staging.outputs.digest }}"


@workflows
def test_every_script_that_a_workflow_runs_is_there(file: Path) -> None:
    for path in re.findall(r"(?:scripts|\.ci)/[\w.-]+", re.sub(r"#.*", "", file.read_text())):
        assert (ROOT / path).stat().st_mode & 0o111, path


def test_every_variable_that_the_workflows_read_is_told_by_terraform_or_the_docs() -> None:
    docs = (ROOT / "docs" / "deployment.md").read_text()
    for file in FILES:
        for name in re.findall(r"\b(?:vars|secrets)\.(\w+)", file.read_text()):
            assert f"`{name}`" in docs, name
