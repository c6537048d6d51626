# Environments that wait ready belong to a published version, and only an alias follows the latest one.

locals {
  is_provisioned = var.provisioned_concurrency > 0
  alias          = local.is_provisioned ? aws_lambda_alias.live[0].name : null
}

resource "aws_lambda_alias" "live" {
  count = local.is_provisioned ? 1 : 0

  name          = "live"
  description   = "What clients are served by; deployments move it to their version"
  function_name = aws_lambda_function.this.function_name
  # The last one published, by Terraform for new settings or by a deployment (scripts/deploy-function.sh).
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count = local.is_provisioned ? 1 : 0

  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = local.alias
  provisioned_concurrent_executions = var.provisioned_concurrency
}
