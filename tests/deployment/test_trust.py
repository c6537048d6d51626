"""Who may take the role that deploys: judged as AWS does, by the conditions that Terraform writes."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.plan import Refused, plan_of
from tests.deployment.terraform import ROOT

EXAMPLES = ("staging", "production")
GITHUB = "token.actions.githubusercontent.com"
NUMBERS = {"github_owner_id": "123456", "github_repository_id": "456789"}
Trust = Callable[..., list[dict[str, Any]]]
TRUST = "module.github_deploy.data.aws_iam_policy_document.trust"

pytestmark = pytest.mark.deployment


@pytest.fixture(params=EXAMPLES)
def environment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """The conditions under which an example's role can be taken, with the repository's numbers or without."""

    @cache
    def trust(environment: str, *, numbers: bool) -> list[dict[str, Any]]:
        given = {
            "dataset_bucket": "data",
            "image_digest": f"sha256:{'a' * 64}",
            "github_repository": "octo-org/octo-repo",
        }
        if environment == "production":
            given["alarm_email"] = "alarms@example.org"
        given |= NUMBERS if numbers else {}
        plan = plan_of(tmp_path_factory.mktemp("plan"), ROOT / "examples" / environment, **given)
        (statement,) = plan.resources[TRUST]["statement"]
        assert statement["actions"] == ["sts:AssumeRoleWithWebIdentity"]
        return list(statement["condition"])

    return trust


def accepts(conditions: list[dict[str, Any]], claims: dict[str, str]) -> bool:
    """Whether all conditions hold; a claim that is not there equals nothing."""
    # Another test, such as StringLike, is not one that compares whole values.
    assert {condition["test"] for condition in conditions} == {"StringEquals"}
    return all(
        claims.get(condition["variable"].removeprefix(f"{GITHUB}:")) in condition["values"]
        for condition in conditions
    )


def claims(environment: str, **others: str) -> dict[str, str]:
    """What GitHub says of a job of the repository, on main."""
    return {
        "aud": "sts.amazonaws.com",
        "sub": f"repo:octo-org@123456/octo-repo@456789:environment:{environment}",
        "ref": "refs/heads/main",
        "repository_id": "456789",
    } | others


def test_both_forms_of_the_subject_are_accepted_where_the_numbers_are_given(
    trust: Trust, environment: str
) -> None:
    found = trust(environment, numbers=True)
    assert accepts(found, claims(environment))
    assert accepts(found, claims(environment, sub=f"repo:octo-org/octo-repo:environment:{environment}"))


def test_without_the_numbers_the_form_without_them_is_accepted_alone(trust: Trust, environment: str) -> None:
    found = trust(environment, numbers=False)
    assert accepts(found, claims(environment, sub=f"repo:octo-org/octo-repo:environment:{environment}"))
    assert not accepts(found, claims(environment))


OTHERS = {
    "another owner": {"sub": "repo:evil@9/octo-repo@456789:environment:{}"},
    "an owner whose name begins alike": {"sub": "repo:octo-org-evil@9/octo-repo@8:environment:{}"},
    "the owner's name taken by another": {"sub": "repo:octo-org@9/octo-repo@8:environment:{}"},
    "another repository of the owner": {"sub": "repo:octo-org@123456/other@8:environment:{}"},
    "the repository's name taken by another": {"sub": "repo:octo-org@123456/octo-repo@8:environment:{}"},
    "another number, in the form without": {
        "sub": "repo:octo-org/octo-repo:environment:{}",
        "repository_id": "8",
    },
    "another environment": {"sub": "repo:octo-org@123456/octo-repo@456789:environment:pull-requests"},
    "no environment": {"sub": "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main"},
    "a pull request": {"sub": "repo:octo-org@123456/octo-repo@456789:pull_request"},
    "another branch": {"ref": "refs/heads/feature"},
    "a tag of the branch's name": {"ref": "refs/tags/main"},
    "a token for others": {"aud": "https://github.com/octo-org"},
}


def test_nobody_else_is_accepted(trust: Trust, environment: str) -> None:
    with_numbers = trust(environment, numbers=True)
    without = trust(environment, numbers=False)
    for name, other in OTHERS.items():
        said = claims(environment, **{claim: value.format(environment) for claim, value in other.items()})
        assert not accepts(with_numbers, said), name
        if "number" not in name:
            assert not accepts(without, said), name


def test_the_role_of_one_environment_is_not_the_others(trust: Trust) -> None:
    assert not accepts(trust("production", numbers=True), claims("staging"))
    assert not accepts(trust("staging", numbers=True), claims("production"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"github_owner_id": "123456"},
        {"github_repository_id": "456789"},
        NUMBERS | {"github_repository_id": "*"},
        NUMBERS | {"github_owner_id": "octo-org"},
        {"github_repository": "octo-org/*"},
        {"github_repository": "octo-org@123456/octo-repo@456789"},
        {"github_branch": "*"},
        {"github_environment": "*"},
    ],
    ids=str,
)
def test_what_could_let_in_others_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    right = {
        "name": "deploy",
        "oidc_provider_arn": "arn:aws:iam::1:oidc-provider/github",
        "github_repository": "octo-org/octo-repo",
        "github_environment": "staging",
        "function_name": "service",
        "function_arn": "arn:aws:lambda:eu-west-2:1:function:service",
        "repository_arn": "arn:aws:ecr:eu-west-2:1:repository/service",
    }
    with pytest.raises(Refused, match="Invalid value for variable"):
        plan_of(tmp_path, ROOT / "modules" / "github-deploy", **right | wrong)


def test_the_docs_say_where_the_numbers_come_from() -> None:
    docs = (ROOT.parents[1] / "docs" / "deployment.md").read_text()
    assert re.search(r"gh api repos/OWNER/NAME", docs)
    assert all(f"`{name}`" in docs for name in NUMBERS)
