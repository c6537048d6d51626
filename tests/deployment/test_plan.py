"""What Terraform would make of the modules, and what it refuses to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.plan import Plan, plan_of
from tests.deployment.terraform import ROOT

Planned = Callable[..., Plan]


@pytest.fixture
def service(tmp_path: Path) -> Planned:
    """Plans the module `service`."""

    def service(**variables: Any) -> Plan:
        given = {"name": "ab", "image_uri": f"r@sha256:{'a' * 64}", "dataset_bucket": "data"}
        return plan_of(tmp_path, ROOT / "modules" / "service", **given | variables)

    return service


@pytest.mark.parametrize(("architecture", "platform"), [("x86_64", "linux/amd64"), ("arm64", "linux/arm64")])
def test_the_function_is_of_the_kind_that_its_image_is_built_for(
    service: Planned, architecture: str, platform: str
) -> None:
    plan = service(architecture=architecture)
    assert plan.resources["aws_lambda_function.this"]["architectures"] == [architecture]
    assert plan.outputs["platform"] == platform


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_an_example_says_for_which_platform_images_are_to_be_built(tmp_path: Path, environment: str) -> None:
    given = {"dataset_bucket": "data", "image_digest": f"sha256:{'a' * 64}", "github_repository": "o/n"}
    given |= {"alarm_email": "a@example.org"} if environment == "production" else {}
    plan = plan_of(tmp_path, ROOT / "examples" / environment, architecture="arm64", **given)
    assert plan.outputs["platform"] == "linux/arm64"
    assert plan.resources["module.service.aws_lambda_function.this"]["architectures"] == ["arm64"]


def test_a_tag_of_an_image_cannot_change_but_the_caches_can(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ROOT / "modules" / "registry")
    repository = plan.resources["aws_ecr_repository.this"]
    assert repository["image_tag_mutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [each["filter"] for each in repository["image_tag_mutability_exclusion_filter"]] == ["cache"]
