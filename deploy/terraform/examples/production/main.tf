# Production, in staging's account: behind CloudFront, which alone may ask the function, with alarms by mail.

locals {
  environment    = "production"
  repository_url = data.aws_ecr_repository.images.repository_url
  # The smoke test asks the function URL itself, and signs.
  sign_region = var.region
}

data "aws_ecr_repository" "images" {
  name = var.repository_name
}

data "aws_iam_openid_connect_provider" "github" {
  url = "https://token.actions.githubusercontent.com"
}

resource "aws_sns_topic" "alarms" {
  name              = "download-lambda-alarms"
  kms_master_key_id = aws_kms_key.alarms.id
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

data "aws_caller_identity" "this" {}

# CloudWatch may not use SNS's own key.
data "aws_iam_policy_document" "alarms_key" {
  #checkov:skip=CKV_AWS_356: in a key's policy * is the key
  #checkov:skip=CKV_AWS_109: the account administers its key
  #checkov:skip=CKV_AWS_111: the account administers its key
  statement {
    sid       = "TheAccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }

  statement {
    sid       = "AlarmsEncrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_kms_key" "alarms" {
  description         = "download-lambda's alarms"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.alarms_key.json
}

module "service" {
  source = "../../modules/service"

  name                    = "download-lambda-production"
  image_uri               = "${local.repository_url}@${var.image_digest}"
  architecture            = var.architecture
  dataset_bucket          = var.dataset_bucket
  dataset_region          = var.dataset_region
  export_bucket           = true
  cors_allow_origins      = ["*"]
  reserved_concurrency    = var.reserved_concurrency
  provisioned_concurrency = var.provisioned_concurrency
  ephemeral_storage_mb    = 8192
  tracing                 = true
  url_auth_type           = "AWS_IAM"
  cdn                     = true
  cdn_aliases             = var.cdn_aliases
  cdn_certificate_arn     = var.cdn_certificate_arn
  alarm_topic_arns        = [aws_sns_topic.alarms.arn]
}

module "github_deploy" {
  source = "../../modules/github-deploy"

  name                 = "download-lambda-production-deploy"
  oidc_provider_arn    = data.aws_iam_openid_connect_provider.github.arn
  github_repository    = var.github_repository
  github_owner_id      = var.github_owner_id
  github_repository_id = var.github_repository_id
  github_environment   = local.environment
  function_name        = module.service.function_name
  function_arn         = module.service.function_arn
  function_alias       = module.service.function_alias
  repository_arn       = data.aws_ecr_repository.images.arn
}
