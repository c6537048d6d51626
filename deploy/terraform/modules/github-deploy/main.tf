# The role that .github/workflows takes in AWS, without a key: by GitHub's word (OIDC), which trust.tf judges.

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Deploys ${var.function_name} from GitHub, ${var.github_repository}, ${var.github_environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid = "GiveTheFunctionAnImage"
    actions = [
      "lambda:GetFunction",
      "lambda:GetFunctionConfiguration",
      "lambda:UpdateFunctionCode",
    ]
    resources = [var.function_arn]
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
    resources = [var.function_arn]
  }

  statement {
    sid       = "AskTheFunctionThroughItsUrlAlone"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_arn]

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
