variable "name" {
  description = "The function's name, and the beginning of the others'."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,39}$", var.name))
    error_message = "Use 2 to 40 of a-z, 0-9 and -: a bucket's name begins with it."
  }
}

variable "image_uri" {
  description = "The first image, by digest: REPOSITORY@sha256:…; deployments change it afterwards."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "Name the image by its digest, REPOSITORY@sha256:…; a tag can move."
  }
}

variable "architecture" {
  description = "What the image is built for: x86_64 or arm64; the output `platform` has it as scripts/build-docker.sh wants it."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "x86_64 or arm64."
  }
}

variable "dataset_bucket" {
  description = "The bucket that holds the datasets: its name alone."
  type        = string
}

variable "dataset_root" {
  description = "A folder in the bucket above dataset_prefix; empty for none."
  type        = string
  default     = ""
}

variable "dataset_prefix" {
  description = "DATASET_PREFIX: the folder that holds the datasets; it may be empty."
  type        = string
  default     = "dataset"
}

variable "dataset_region" {
  description = "DATASET_REGION: the bucket's region, where it is not the function's. What is read then crosses regions, which costs time and money."
  type        = string
  default     = null

  validation {
    condition     = var.dataset_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.dataset_region))
    error_message = "A region such as eu-west-1; null where it is the function's."
  }
}

variable "environment" {
  description = "ENVIRONMENT: production, or development to show the API's own pages."
  type        = string
  default     = "production"
}

variable "settings" {
  description = "More settings of docs/configuration.md, and others in place of the module's own. Secrets among them can be read by whoever may read the function and the state."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setintersection(keys(var.settings), [
      "AWS_REGION", "AWS_PROFILE", "CORS_ALLOW_ORIGINS", "DATASET_BUCKET", "DATASET_PREFIX", "DATASET_REGION", "EXPORT_BUCKET",
    ])) == 0
    error_message = "AWS_REGION is Lambda's own, AWS_PROFILE has no place here, and the others are variables of this module."
  }

  # Each environment of the function is a process of its own, which has one request at a time.
  validation {
    condition     = lookup(var.settings, "RATE_LIMIT", "") == "" || can(regex("^rediss?://", lookup(var.settings, "RATE_LIMIT_STORAGE", "")))
    error_message = "RATE_LIMIT cannot limit on Lambda while each process counts for itself: give RATE_LIMIT_STORAGE a Redis (rediss://…) that can be reached without a VPC, or limit by a rule of cdn_web_acl_arn or by reserved_concurrency."
  }

  validation {
    condition     = contains(["", "0"], lookup(var.settings, "CLIENT_DOWNLOADS", ""))
    error_message = "CLIENT_DOWNLOADS cannot limit on Lambda, where a process has one request at a time: limit by a rule of cdn_web_acl_arn or by reserved_concurrency."
  }
}

variable "timeout_seconds" {
  description = "How long a request, or the making of an export, may take: 60 to 900."
  type        = number
  default     = 300

  validation {
    condition     = var.timeout_seconds >= 60 && var.timeout_seconds <= 900
    error_message = "60 to 900."
  }
}

variable "memory_mb" {
  description = "The function's memory; processors come with it, a second one above 1,769."
  type        = number
  default     = 3008

  validation {
    condition     = var.memory_mb >= 1024 && var.memory_mb <= 10240
    error_message = "1024 to 10240: the engine and the encoders need the first."
  }
}

variable "ephemeral_storage_mb" {
  description = "/tmp, where results are made: 512 to 10240."
  type        = number
  default     = 4096

  validation {
    condition     = var.ephemeral_storage_mb >= 512 && var.ephemeral_storage_mb <= 10240
    error_message = "512 to 10240."
  }
}

variable "reserved_concurrency" {
  description = "How many requests run at once at most, and are kept for this function; -1 for the account's limit. 10 of that limit must stay unreserved, and a new account's is 10: it accepts -1 alone."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency >= -1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "A whole number, or -1 for the account's limit; 0 stops the function."
  }
}

variable "provisioned_concurrency" {
  description = "How many environments wait ready, at a price, so that no request of them starts cold; 0 for none. More than 0 puts the URL on an alias."
  type        = number
  default     = 0

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "A whole number."
  }

  validation {
    condition     = var.reserved_concurrency == -1 || var.provisioned_concurrency <= var.reserved_concurrency
    error_message = "At most reserved_concurrency."
  }
}

variable "tracing" {
  description = "Send traces to X-Ray."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "A key of your own for environment, log and exports; null for the services' keys. Its policy must let CloudWatch Logs use it."
  type        = string
  default     = null
}

variable "data_kms_key_arns" {
  description = "The keys that the datasets are encrypted with, where they are SSE-KMS."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long log lines are kept."
  type        = number
  default     = 365
}

variable "url_auth_type" {
  description = "NONE: everybody may ask the function URL. AWS_IAM: CloudFront and those who sign."
  type        = string
  default     = "NONE"

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.url_auth_type)
    error_message = "NONE or AWS_IAM."
  }
}

variable "cors_allow_origins" {
  description = "Origins whose scripts may read downloads; [\"*\"] for all."
  type        = list(string)
  default     = []
}

variable "export_bucket" {
  description = "Make a bucket for results that are too large for Lambda, and let the service use it."
  type        = bool
  default     = false
}

variable "export_days" {
  description = "After how many days an export is removed; it is made again when asked for."
  type        = number
  default     = 7
}

variable "cdn" {
  description = "Put CloudFront before the function."
  type        = bool
  default     = false
}

variable "cdn_zstd" {
  description = "Let CloudFront pass Accept-Encoding on as it came, so that zstd is used; more cache keys."
  type        = bool
  default     = false
}

variable "cdn_origin_seconds" {
  description = "How long CloudFront waits for the first byte: 1 to 120, and more with a quota of your own."
  type        = number
  default     = 60
}

variable "cdn_price_class" {
  description = "Where CloudFront answers from."
  type        = string
  default     = "PriceClass_100"
}

variable "cdn_aliases" {
  description = "Names of your own for the CDN."
  type        = list(string)
  default     = []
}

variable "cdn_certificate_arn" {
  description = "The certificate for cdn_aliases, in us-east-1."
  type        = string
  default     = null

  validation {
    condition     = length(var.cdn_aliases) == 0 || var.cdn_certificate_arn != null
    error_message = "cdn_aliases need a certificate."
  }
}

variable "cdn_web_acl_arn" {
  description = "A web application firewall for the CDN."
  type        = string
  default     = null
}

variable "cdn_log_bucket" {
  description = "BUCKET.s3.amazonaws.com for the CDN's access log."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told when an alarm begins and ends."
  type        = list(string)
  default     = []
}

variable "alarm_errors" {
  description = "How many failures in five minutes are not yet an alarm."
  type        = number
  default     = 2
}
