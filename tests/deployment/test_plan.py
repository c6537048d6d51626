"""What Terraform would make of the modules, and what it refuses to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.plan import Plan, plan_of
from tests.deployment.terraform import ROOT

Planned = Callable[..., Plan]

pytestmark = pytest.mark.deployment


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


def test_a_new_account_accepts_what_is_planned_by_default(service: Planned, tmp_path: Path) -> None:
    # Its functions have 10 environments together, of which 10 must belong to none.
    production = {"dataset_bucket": "data", "image_digest": f"sha256:{'a' * 64}", "github_repository": "o/n"}
    for address, plan in {
        "": service(),
        "module.service.": plan_of(
            tmp_path, ROOT / "examples" / "production", alarm_email="a@example.org", **production
        ),
    }.items():
        function = plan.resources[f"{address}aws_lambda_function.this"]
        assert function["reserved_concurrent_executions"] == -1
        assert function["publish"] is False
        assert not any("aws_lambda_provisioned_concurrency_config" in name for name in plan.resources)


def test_environments_that_wait_ready_are_those_that_clients_ask(service: Planned) -> None:
    plan = service(provisioned_concurrency=5, cdn=True, url_auth_type="AWS_IAM")
    ready = plan.resources["aws_lambda_provisioned_concurrency_config.live[0]"]
    assert (ready["provisioned_concurrent_executions"], ready["qualifier"]) == (5, "live")
    assert plan.resources["aws_lambda_alias.live[0]"]["name"] == plan.outputs["function_alias"] == "live"
    # Only a published version can be kept ready.
    assert plan.resources["aws_lambda_function.this"]["publish"] is True
    assert plan.resources["aws_lambda_function_url.this"]["qualifier"] == "live"


@pytest.mark.parametrize(("provisioned", "url_auth_type"), [(0, "NONE"), (5, "AWS_IAM")])
def test_who_may_ask_the_url_may_ask_what_it_leads_to(
    service: Planned, url_auth_type: str, provisioned: int
) -> None:
    plan = service(provisioned_concurrency=provisioned, cdn=True, url_auth_type=url_auth_type)
    url = plan.resources["aws_lambda_function_url.this"]
    permissions = [values for name, values in plan.resources.items() if "aws_lambda_permission" in name]
    assert len(permissions) == 2
    assert {permission["qualifier"] for permission in permissions} == {url["qualifier"]}


def test_the_role_that_deploys_moves_an_alias_only_where_there_is_one(tmp_path: Path) -> None:
    given = {"dataset_bucket": "data", "image_digest": f"sha256:{'a' * 64}", "github_repository": "o/n"}
    given |= {"alarm_email": "a@example.org"}
    for provisioned in (0, 5):
        plan = plan_of(
            tmp_path, ROOT / "examples" / "production", provisioned_concurrency=provisioned, **given
        )
        statements = plan.resources["module.github_deploy.data.aws_iam_policy_document.deploy"]["statement"]
        actions = {action for statement in statements for action in statement["actions"]}
        assert ("lambda:UpdateAlias" in actions) is bool(provisioned)
        assert plan.outputs["github_variables"]["FUNCTION_ALIAS"] == ("live" if provisioned else "")
        named = [arn for each in statements for arn in each["resources"] if "lambda" in str(each["actions"])]
        assert any(arn.endswith(":*") for arn in named) is bool(provisioned)


@pytest.mark.parametrize("late", [{"cdn_zstd": False}, {"cdn_origin_seconds": 120}])
def test_the_cdn_asks_once_for_what_comes_late(service: Planned, late: dict[str, Any]) -> None:
    distribution = service(cdn=True, **late).resources["aws_cloudfront_distribution.this[0]"]
    (origin,) = distribution["origin"]
    assert origin["connection_attempts"] == 1


def test_a_bucket_in_another_region_is_told_to_the_service(service: Planned) -> None:
    def told(**given: Any) -> Any:
        (environment,) = service(**given).resources["aws_lambda_function.this"]["environment"]
        return environment["variables"].get("DATASET_REGION")

    assert told() is None
    assert told(dataset_region="eu-west-1") == "eu-west-1"
