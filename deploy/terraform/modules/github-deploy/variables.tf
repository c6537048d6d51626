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

variable "github_owner_id" {
  description = "The owner's number: gh api repos/OWNER/NAME --jq .owner.id; needed where the repository was made, renamed or moved since 15 July 2026."
  type        = string
  default     = null

  validation {
    condition     = var.github_owner_id == null || can(regex("^[0-9]+$", var.github_owner_id))
    error_message = "Digits alone."
  }
}

variable "github_repository_id" {
  description = "The repository's number, with the owner's: gh api repos/OWNER/NAME --jq .id."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository_id == null || can(regex("^[0-9]+$", var.github_repository_id))
    error_message = "Digits alone."
  }

  validation {
    condition     = (var.github_repository_id == null) == (var.github_owner_id == null)
    error_message = "Give both numbers, github_owner_id and github_repository_id, or none."
  }
}

variable "github_environment" {
  description = "The environment in GitHub whose jobs may take the role: staging or production."
  type        = string

  validation {
    condition     = can(regex("^[\\w.-]+$", var.github_environment))
    error_message = "Letters, digits, ., _ and - alone: GitHub writes others in another form."
  }
}

variable "github_branch" {
  description = "The branch whose jobs alone may take the role."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[\\w./-]+$", var.github_branch))
    error_message = "One branch, without * and without refs/heads/."
  }
}

variable "function_name" {
  description = "The function that is deployed."
  type        = string
}

variable "function_arn" {
  description = "Its ARN."
  type        = string
}

variable "function_alias" {
  description = "The alias that a deployment moves; empty for none."
  type        = string
  default     = ""
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
