# Results too large for Lambda's 200 MB, under their ETags; each is made once and read through presigned URLs.

locals {
  export_bucket = var.export_bucket ? aws_s3_bucket.exports[0].bucket : ""
}

resource "aws_s3_bucket" "exports" {
  #checkov:skip=CKV_AWS_21: what is lost is made again
  #checkov:skip=CKV_AWS_144: what is lost is made again
  #checkov:skip=CKV_AWS_145: encrypted by S3's key, or by kms_key_arn
  #checkov:skip=CKV_AWS_18: CloudTrail's data events are the account's business
  #checkov:skip=CKV2_AWS_62: nobody waits for new exports
  count = var.export_bucket ? 1 : 0

  bucket        = "${var.name}-exports-${data.aws_caller_identity.this.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "exports" {
  count = var.export_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.exports[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "exports" {
  count = var.export_bucket ? 1 : 0

  bucket = aws_s3_bucket.exports[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "exports" {
  count = var.export_bucket ? 1 : 0

  bucket = aws_s3_bucket.exports[0].id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "exports" {
  count = var.export_bucket ? 1 : 0

  bucket = aws_s3_bucket.exports[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.export_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# Scripts that follow the redirect read the file from here.
resource "aws_s3_bucket_cors_configuration" "exports" {
  count = var.export_bucket && length(var.cors_allow_origins) > 0 ? 1 : 0

  bucket = aws_s3_bucket.exports[0].id

  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    # A redirect to another origin comes with `Origin: null`.
    allowed_origins = ["*"]
    allowed_headers = ["*"]
    expose_headers  = ["Content-Disposition", "Content-Length", "Content-Range", "ETag"]
    max_age_seconds = 600
  }
}

data "aws_iam_policy_document" "exports" {
  count = var.export_bucket ? 1 : 0

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.exports[0].arn, "${aws_s3_bucket.exports[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "exports" {
  count = var.export_bucket ? 1 : 0

  bucket = aws_s3_bucket.exports[0].id
  policy = data.aws_iam_policy_document.exports[0].json

  depends_on = [aws_s3_bucket_public_access_block.exports]
}
