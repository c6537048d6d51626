# GitHub's word for who asks. Repositories made, renamed or moved since 15 July 2026 are named with their numbers in it,
# the others without. Every value is whole: a * would let in repositories and owners of other names.

locals {
  has_ids = var.github_repository_id != null
  names   = split("/", var.github_repository)
  subjects = concat(
    ["repo:${var.github_repository}:environment:${var.github_environment}"],
    local.has_ids ? [
      "repo:${local.names[0]}@${var.github_owner_id}/${local.names[1]}@${var.github_repository_id}:environment:${var.github_environment}",
    ] : [],
  )
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    # Jobs of this environment alone, whose protection rules say who must approve.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = local.subjects
    }

    # And from this branch alone, whatever those rules say.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:ref"
      values   = ["refs/heads/${var.github_branch}"]
    }

    # Names can pass to others. The number cannot, and so the form without numbers is safe as well.
    dynamic "condition" {
      for_each = local.has_ids ? [1] : []

      content {
        test     = "StringEquals"
        variable = "token.actions.githubusercontent.com:repository_id"
        values   = [var.github_repository_id]
      }
    }
  }
}
