variable "name" {
  description = "The role's name."
  type        = string
}

variable "oidc_provider_arn" {
  description = "GitHub's provider in this account (aws_iam_openid_connect_provider for https://token.actions.githubusercontent.com)."
  type        = string
}

variable "github_repository" {
  description = "OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[\\w.-]+/[\\w.-]+$", var.github_repository))
    error_message = "Give the repository as OWNER/NAME."
  }
}

variable "github_environment" {
  description = "The environment in GitHub whose jobs may take the role: staging or production."
  type        = string
}

variable "function_name" {
  description = "The function that is deployed."
  type        = string
}

variable "function_arn" {
  description = "Its ARN."
  type        = string
}

variable "repository_arn" {
  description = "The images' repository."
  type        = string
}

variable "may_push" {
  description = "True where images are built: staging. Production takes what is there."
  type        = bool
  default     = false
}
