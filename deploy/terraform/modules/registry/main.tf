# The images: one repository for all environments, so that production gets the bytes that staging proved.

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

data "aws_partition" "this" {}

resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136: AES-256 is on; a key of one's own is a choice, by kms_key_arn
  #checkov:skip=CKV_AWS_51: a tag that names an image cannot change
  name = var.name
  # A tag is a commit, for ever; but for the layers that the next build begins from (CACHE of scripts/build-docker.sh).
  image_tag_mutability = "IMMUTABLE_WITH_EXCLUSION"
  force_delete         = false

  image_tag_mutability_exclusion_filter {
    filter      = "cache"
    filter_type = "WILDCARD"
  }

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Pieces that no tag names, and layers of earlier builds"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "As many images as one may roll back to, and the cache"
        selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = var.keep_images + 1 }
        action       = { type = "expire" }
      },
    ]
  })
}

data "aws_iam_policy_document" "pull" {
  statement {
    sid     = "LambdaPulls"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:sourceArn"
      values = [
        for account in toset(concat([data.aws_caller_identity.this.account_id], var.function_accounts)) :
        "arn:${data.aws_partition.this.partition}:lambda:${data.aws_region.this.region}:${account}:function:*"
      ]
    }
  }

  # Whoever gives a function in another account its image reads it as well.
  dynamic "statement" {
    for_each = length(var.function_accounts) > 0 ? [1] : []

    content {
      sid = "OtherAccountsPull"
      actions = [
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
      ]

      principals {
        type        = "AWS"
        identifiers = [for account in var.function_accounts : "arn:${data.aws_partition.this.partition}:iam::${account}:root"]
      }
    }
  }
}

resource "aws_ecr_repository_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy     = data.aws_iam_policy_document.pull.json
}
