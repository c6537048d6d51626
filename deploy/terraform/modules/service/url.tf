locals {
  # What the service itself may expose; tests/deployment/test_terraform.py compares them.
  exposed_headers = [
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Length",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Last-Modified",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "Retry-After",
    "WWW-Authenticate",
    "X-CRS-Accuracy",
    "X-Dataset",
    "X-Format",
    "X-Missing-Fields",
    "X-Request-ID",
  ]
  request_headers = ["If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Range", "X-API-Key", "X-Request-ID"]
  is_public       = var.url_auth_type == "NONE"
}

resource "aws_lambda_function_url" "this" {
  #checkov:skip=CKV_AWS_258: open data is public; with AWS_IAM, CloudFront and those who sign have access alone
  function_name      = aws_lambda_function.this.function_name
  qualifier          = local.alias
  authorization_type = var.url_auth_type
  invoke_mode        = "RESPONSE_STREAM"

  # Here, and so not in the service as well (CORS_ALLOW_ORIGINS): the header would come twice, and browsers refuse it.
  dynamic "cors" {
    for_each = length(var.cors_allow_origins) > 0 ? [1] : []

    content {
      allow_origins  = var.cors_allow_origins
      allow_methods  = ["GET", "HEAD", "POST"]
      allow_headers  = local.request_headers
      expose_headers = local.exposed_headers
      max_age        = 600
    }
  }
}

# A URL needs both permissions: for it, and for the function behind it when it is asked through it.
resource "aws_lambda_permission" "public_url" {
  #checkov:skip=CKV_AWS_301: public where url_auth_type says so
  count = local.is_public ? 1 : 0

  statement_id           = "EverybodyAsksTheUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this.function_name
  qualifier              = local.alias
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "public_function" {
  #checkov:skip=CKV_AWS_301: public where url_auth_type says so, and through the URL alone
  count = local.is_public ? 1 : 0

  statement_id             = "EverybodyAsksThroughTheUrl"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.this.function_name
  qualifier                = local.alias
  principal                = "*"
  invoked_via_function_url = true
}
