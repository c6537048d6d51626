# A CDN before the function. Every download has an ETag and a Cache-Control of its own, so the cache obeys those.

resource "aws_cloudfront_origin_access_control" "this" {
  count = var.cdn && !local.is_public ? 1 : 0

  name                              = var.name
  description                       = "Signs what CloudFront asks of ${var.name}"
  origin_access_control_origin_type = "lambda"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_lambda_permission" "cdn_url" {
  count = var.cdn && !local.is_public ? 1 : 0

  statement_id           = "CloudFrontAsksTheUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this.function_name
  qualifier              = local.alias
  principal              = "cloudfront.amazonaws.com"
  source_arn             = aws_cloudfront_distribution.this[0].arn
  function_url_auth_type = "AWS_IAM"
}

resource "aws_lambda_permission" "cdn_function" {
  count = var.cdn && !local.is_public ? 1 : 0

  statement_id             = "CloudFrontAsksThroughTheUrl"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.this.function_name
  qualifier                = local.alias
  principal                = "cloudfront.amazonaws.com"
  source_arn               = aws_cloudfront_distribution.this[0].arn
  invoked_via_function_url = true
}

resource "aws_cloudfront_cache_policy" "this" {
  count = var.cdn ? 1 : 0

  name    = var.name
  comment = "As long as the origin says; each query and coding for itself"

  # No Cache-Control, no caching; errors say no-store, private answers private.
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 31536000

  parameters_in_cache_key_and_forwarded_to_origin {
    # CloudFront makes Accept-Encoding `gzip` or leaves it away: few keys, no zstd. With cdn_zstd it is a header
    # like any other, passed on as it came: zstd, and a key for each browser's own list.
    enable_accept_encoding_gzip   = !var.cdn_zstd
    enable_accept_encoding_brotli = false

    query_strings_config {
      query_string_behavior = "all"
    }

    headers_config {
      header_behavior = var.cdn_zstd ? "whitelist" : "none"

      dynamic "headers" {
        for_each = var.cdn_zstd ? [1] : []

        content {
          items = ["Accept-Encoding"]
        }
      }
    }

    cookies_config {
      cookie_behavior = "none"
    }
  }
}

resource "aws_cloudfront_origin_request_policy" "this" {
  count = var.cdn ? 1 : 0

  name    = var.name
  comment = "What the service reads besides. Not Host: the function URL would not know it"

  query_strings_config {
    query_string_behavior = "all"
  }

  headers_config {
    header_behavior = "whitelist"

    headers {
      items = ["Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin", "X-API-Key", "X-Request-ID"]
    }
  }

  cookies_config {
    cookie_behavior = "none"
  }
}

resource "aws_cloudfront_response_headers_policy" "this" {
  #checkov:skip=CKV_AWS_259: of this name alone; its subdomains are not ours to decide
  count = var.cdn ? 1 : 0

  name    = var.name
  comment = "CORS for the asking origin, not for the one whose answer is in the cache"

  dynamic "cors_config" {
    for_each = length(var.cors_allow_origins) > 0 ? [1] : []

    content {
      origin_override                  = true
      access_control_allow_credentials = false
      access_control_max_age_sec       = 600

      access_control_allow_origins {
        items = var.cors_allow_origins
      }

      access_control_allow_methods {
        items = ["GET", "HEAD", "OPTIONS"]
      }

      access_control_allow_headers {
        items = local.request_headers
      }

      access_control_expose_headers {
        items = local.exposed_headers
      }
    }
  }

  security_headers_config {
    content_type_options {
      override = false
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = false
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68: cdn_web_acl_arn attaches a firewall; the service refuses what it does not know itself
  #checkov:skip=CKV2_AWS_47: see CKV_AWS_68; no Java runs here
  #checkov:skip=CKV_AWS_86: cdn_log_bucket switches the log on
  #checkov:skip=CKV_AWS_174: TLS 1.2 wherever the certificate is yours; CloudFront's own name fixes it itself
  #checkov:skip=CKV2_AWS_42: a certificate of your own comes with cdn_aliases
  #checkov:skip=CKV_AWS_305: the service has a page at /
  #checkov:skip=CKV_AWS_310: one origin, which Lambda spreads over zones
  #checkov:skip=CKV_AWS_374: open data is for every country
  count = var.cdn ? 1 : 0

  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  comment         = var.name
  price_class     = var.cdn_price_class
  aliases         = var.cdn_aliases
  web_acl_id      = var.cdn_web_acl_arn

  origin {
    origin_id                = "function"
    domain_name              = trimsuffix(trimprefix(aws_lambda_function_url.this.function_url, "https://"), "/")
    origin_access_control_id = local.is_public ? null : aws_cloudfront_origin_access_control.this[0].id
    # Where the first byte is late CloudFront asks again, three times unless told: three invocations make what one cannot.
    connection_attempts = 1

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      # On Lambda a result is made whole before its first byte: CloudFront must wait as long as it can.
      origin_read_timeout      = var.cdn_origin_seconds
      origin_keepalive_timeout = 60
    }
  }

  default_cache_behavior {
    target_origin_id           = "function"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = aws_cloudfront_cache_policy.this[0].id
    origin_request_policy_id   = aws_cloudfront_origin_request_policy.this[0].id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this[0].id
    # The service compresses. CloudFront's own would make strong ETags weak, and leaves out what is over 10 MB.
    compress = false
  }

  # 503 with Retry-After and the like are the service's to say: CloudFront keeps no error.
  dynamic "custom_error_response" {
    for_each = toset([400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504])

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = length(var.cdn_aliases) == 0
    acm_certificate_arn            = length(var.cdn_aliases) == 0 ? null : var.cdn_certificate_arn
    ssl_support_method             = length(var.cdn_aliases) == 0 ? null : "sni-only"
    minimum_protocol_version       = length(var.cdn_aliases) == 0 ? "TLSv1" : "TLSv1.2_2021"
  }

  dynamic "logging_config" {
    for_each = var.cdn_log_bucket == null ? [] : [1]

    content {
      bucket          = var.cdn_log_bucket
      prefix          = "${var.name}/"
      include_cookies = false
    }
  }
}
