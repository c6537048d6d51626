# The role that .github/workflows takes in AWS, without a key: by GitHub's word (OIDC), which trust.tf judges.

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Deploys ${var.function_name} from GitHub, ${var.github_repository}, ${var.github_environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
}

locals {
  has_alias = var.function_alias != ""
  # With an alias its URL and its versions are asked for by names of their own.
  function_arns = local.has_alias ? [var.function_arn, "${var.function_arn}:*"] : [var.function_arn]
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid = "GiveTheFunctionAnImage"
    actions = [
      "lambda:GetFunction",
      "lambda:GetFunctionConfiguration",
      "lambda:UpdateFunctionCode",
    ]
    resources = local.function_arns
  }

  dynamic "statement" {
    for_each = local.has_alias ? [1] : []

    content {
      sid       = "MoveTheAlias"
      actions   = ["lambda:PublishVersion", "lambda:UpdateAlias"]
      resources = [var.function_arn, "${var.function_arn}:${var.function_alias}"]
    }
  }

  statement {
    sid = "ReadImages"
    actions = [
      "ecr:BatchGetImage",
      "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer",
    ]
    resources = [var.repository_arn]
  }

  # Past the CDN, whose cache would answer the smoke test for an older release.
  statement {
    sid       = "AskTheFunctionUrl"
    actions   = ["lambda:InvokeFunctionUrl"]
    resources = local.function_arns
  }

  statement {
    sid       = "AskTheFunctionThroughItsUrlAlone"
    actions   = ["lambda:InvokeFunction"]
    resources = local.function_arns

    condition {
      test     = "Bool"
      variable = "lambda:InvokedViaFunctionUrl"
      values   = ["true"]
    }
  }

  dynamic "statement" {
    for_each = var.may_push ? [1] : []

    content {
      sid = "PushImages"
      actions = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ]
      resources = [var.repository_arn]
    }
  }

  dynamic "statement" {
    for_each = var.may_push ? [1] : []

    content {
      #checkov:skip=CKV_AWS_356: this action knows no resource
      sid       = "LogInToTheRegistry"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy" "deploy" {
  name   = "deploy"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.deploy.json
}
