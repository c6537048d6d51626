variable "name" {
  description = "The repository's name."
  type        = string
  default     = "download-lambda"
}

variable "keep_images" {
  description = "How many images stay. Older ones go, so keep more than main has commits between two releases to production."
  type        = number
  default     = 30
}

variable "function_accounts" {
  description = "Other accounts whose functions use these images, such as production's."
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = "A key of your own for the images; null for the registry's."
  type        = string
  default     = null
}
