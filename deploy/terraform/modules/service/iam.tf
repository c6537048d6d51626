data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name               = "${var.name}-function"
  description        = "What ${var.name} may do: read datasets, write its log"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

locals {
  arn           = "arn:${data.aws_partition.this.partition}"
  bucket_arn    = "${local.arn}:s3:::${var.dataset_bucket}"
  datasets_arn  = local.dataset_keys == "" ? "${local.bucket_arn}/*" : "${local.bucket_arn}/${local.dataset_keys}/*"
  list_prefixes = local.dataset_keys == "" ? ["*"] : [local.dataset_keys, "${local.dataset_keys}/*"]
  # Named, not referenced: the function needs the role before it is there itself.
  function_arn = "${local.arn}:lambda:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:function:${var.name}"
}

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "ReadDatasets"
    actions   = ["s3:GetObject"]
    resources = [local.datasets_arn]
  }

  statement {
    sid       = "ListDatasets"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    # IfExists: a HEAD of an object that is not there has no prefix, and would be a 403 in place of a 404. The price:
    # a listing without a prefix is allowed as well.
    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = local.list_prefixes
    }
  }

  statement {
    sid       = "WriteTheLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.export_bucket ? [1] : []

    content {
      sid = "MakeAndReadExports"
      actions = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:PutObject",
      ]
      resources = ["${aws_s3_bucket.exports[0].arn}/*"]
    }
  }

  # Without it, what is not there yet is a 403.
  dynamic "statement" {
    for_each = var.export_bucket ? [1] : []

    content {
      sid       = "SeeWhichExportsThereAre"
      actions   = ["s3:ListBucket"]
      resources = [aws_s3_bucket.exports[0].arn]
    }
  }

  # An export is made by an invocation of its own.
  dynamic "statement" {
    for_each = var.export_bucket ? [1] : []

    content {
      sid       = "CallItself"
      actions   = ["lambda:InvokeFunction"]
      resources = [local.function_arn]
    }
  }

  dynamic "statement" {
    for_each = length(var.data_kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "DecryptDatasets"
      actions   = ["kms:Decrypt"]
      resources = var.data_kms_key_arns
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "UseTheServicesKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }

  dynamic "statement" {
    for_each = var.tracing ? [1] : []

    content {
      #checkov:skip=CKV_AWS_356: these actions know no resource
      #checkov:skip=CKV_AWS_111: they write traces and nothing else
      sid       = "SendTraces"
      actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}
