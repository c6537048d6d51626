data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

data "aws_partition" "this" {}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117: response streaming through a function URL does not work in a VPC
  #checkov:skip=CKV_AWS_272: code signing is for zip archives; the image is pinned by digest
  #checkov:skip=CKV_AWS_116: the one asynchronous event, an export, is not tried again; a client asks anew
  #checkov:skip=CKV_AWS_115: reserved_concurrency sets it; without, the account's limit holds
  #checkov:skip=CKV_AWS_173: the environment is encrypted by Lambda's key, or by kms_key_arn
  #checkov:skip=CKV_AWS_50: tracing switches it on
  function_name = var.name
  description   = "Streams datasets, stored as Parquet, as CSV, JSON and more"
  role          = aws_iam_role.function.arn

  package_type  = "Image"
  image_uri     = var.image_uri
  architectures = [var.architecture]
  publish       = local.is_provisioned

  timeout                        = var.timeout_seconds
  memory_size                    = var.memory_mb
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  ephemeral_storage {
    size = var.ephemeral_storage_mb
  }

  environment {
    variables = local.settings
  }

  # The service writes its own JSON lines. Lambda's would wrap them, and the memory alarm reads its text.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function.name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  depends_on = [aws_iam_role_policy.function]

  lifecycle {
    # Deployments change it (scripts/deploy-function.sh); the one given here is the first.
    ignore_changes = [image_uri]
  }
}

# What the function sends to itself: make this export. After a minute without it the next who asks begins anew.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158: encrypted by CloudWatch's key, or by kms_key_arn
  #checkov:skip=CKV_AWS_338: a year is the default; access lines hold addresses, so less may be wanted
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
