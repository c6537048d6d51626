"""Names, types and needs of what Terraform's files say, by the schema of AWS's provider."""

from pathlib import Path

import pytest

from tests.deployment.plan import copied, terraform
from tests.deployment.terraform import MODULES, ROOT

SERVICE = ROOT / "modules" / "service"

pytestmark = pytest.mark.deployment


@pytest.mark.parametrize("module", MODULES, ids=lambda folder: folder.name)
def test_every_module_is_what_the_provider_takes(tmp_path: Path, module: Path) -> None:
    done = terraform(copied(tmp_path, module), "validate", "-no-color")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "says"),
    [
        ("main.tf", "memory_size ", "memory ", "Unsupported argument"),
        ("main.tf", "  role          =", "  # role =", "Missing required argument"),
        ("cloudfront.tf", "custom_origin_config {", "origin_config {", "Unsupported block type"),
        ("cloudfront.tf", "geo_restriction {", "geo_restrictions {", "Unsupported block type"),
        ("cloudfront.tf", "cached_methods  ", "cache_methods  ", "Missing required argument"),
        (
            "cloudfront.tf",
            "https_port             = 443",
            'https_port = "https"',
            "Incorrect attribute value type",
        ),
        (
            "outputs.tf",
            "aws_lambda_function.this.arn",
            "aws_lambda_function.this.id_of",
            "Unsupported attribute",
        ),
    ],
)
def test_a_name_or_type_that_the_provider_does_not_know_is_found(
    tmp_path: Path, file: str, right: str, wrong: str, says: str
) -> None:
    folder = copied(tmp_path, SERVICE)
    text = (folder / file).read_text()
    assert right in text
    (folder / file).write_text(text.replace(right, wrong, 1))
    done = terraform(folder, "validate", "-no-color")
    assert done.returncode == 1
    assert says in done.stderr


def test_a_resource_that_the_provider_does_not_know_is_found(tmp_path: Path) -> None:
    folder = copied(tmp_path, SERVICE)
    (folder / "more.tf").write_text('resource "aws_lambda_streams" "this" {}\n')
    done = terraform(folder, "validate", "-no-color")
    assert "does not support resource type" in done.stderr
