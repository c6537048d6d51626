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


def deployments() -> dict[str, Any]:
    """The jobs of deploy.yml that deploy."""
    jobs = read(ROOT / ".github/workflows/deploy.yml")["jobs"]
    return {name: job for name, job in jobs.items() if "environment" in job}


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
    for job in deployments().values():
        assert job["concurrency"]["cancel-in-progress"] is False


def test_a_release_that_waits_for_its_reviewers_holds_up_its_own_environment_alone() -> None:
    # A group of the workflow is held until its last job has ended, whoever it waits for.
    assert "concurrency" not in read(ROOT / ".github/workflows/deploy.yml")
    groups = {name: job["concurrency"]["group"] for name, job in deployments().items()}
    assert groups == {"staging": "deploy-staging", "production": "deploy-production"}
    assert all(job["environment"] == name for name, job in deployments().items())


def workflows_that_test_on(event: str) -> list[str]:
    """The workflows that an event starts and that run the tests, directly or by another."""
    tests = {
        file.name
        for file in FILES
        for job in read(file)["jobs"].values()
        if any(".ci/run" in step.get("run", "") for step in job.get("steps", ()))
    }
    return [
        file.name
        for file in FILES
        if event in read(file)["on"]
        and (
            file.name in tests
            or any(job.get("uses", "").rpartition("/")[2] in tests for job in read(file)["jobs"].values())
        )
    ]


def test_a_push_is_tested_once_and_deployed_by_that_very_run() -> None:
    # A push to a branch of a pull request is its pull_request event; to main it is a push.
    assert workflows_that_test_on("push") == ["deploy.yml"]
    assert workflows_that_test_on("pull_request") == ["test.yml"]
    deploy = read(ROOT / ".github/workflows/deploy.yml")
    assert deploy["on"]["push"] == {"branches": ["main"]}
    assert deploy["jobs"]["staging"]["needs"] == "test"


def test_commits_of_main_are_tested_and_so_deployed_in_their_order() -> None:
    called = read(ROOT / ".github/workflows/test.yml")
    assert called["concurrency"]["group"].endswith("-${{ github.ref }}")
    assert called["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


@workflows
def test_every_workflow_can_be_started_by_hand(file: Path) -> None:
    assert "workflow_dispatch" in read(file)["on"]


def test_nothing_but_main_is_deployed_whoever_starts_it() -> None:
    jobs = read(ROOT / ".github/workflows/deploy.yml")["jobs"]
    assert "github.ref == 'refs/heads/main'" in jobs["staging"]["if"]
    # A job whose need was left out is left out too, unless it has a condition of its own.
    assert jobs["production"]["needs"] == "staging"
    assert "if" not in jobs["production"]


def test_an_image_is_built_for_its_platform_on_a_runner_of_that_kind_from_earlier_layers() -> None:
    staging = read(ROOT / ".github/workflows/deploy.yml")["jobs"]["staging"]
    runner = "${{ vars.PLATFORM == 'linux/arm64' && 'ubuntu-24.04-arm' || 'ubuntu-24.04' }}"
    assert staging["runs-on"] == runner
    (build,) = (step for step in staging["steps"] if step.get("id") == "build")
    assert build["env"]["PLATFORM"] == "${{ vars.PLATFORM }}"
    assert build["env"]["CACHE"] == "${{ vars.ECR_REPOSITORY }}:cache"


def test_a_rollback_waits_for_a_deployment_to_its_own_environment_alone() -> None:
    rollback = read(ROOT / ".github/workflows/rollback.yml")
    assert "concurrency" not in rollback
    assert rollback["jobs"]["rollback"]["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }


def test_production_gets_the_digest_that_staging_proved_after_it_did() -> None:
    jobs = read(ROOT / ".github/workflows/deploy.yml")["jobs"]
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
