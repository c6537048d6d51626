variable "name" {
  description = "The repository's name."
  type        = string
  default     = "download-lambda"
}

variable "keep_images" {
  description = "How many images stay; older ones go, and cannot be rolled back to."
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
