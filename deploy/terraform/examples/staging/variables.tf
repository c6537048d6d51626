variable "region" {
  description = "Where everything but the CDN is."
  type        = string
  default     = "eu-west-2"
}

variable "dataset_bucket" {
  description = "The bucket that holds dataset/NAME.parquet."
  type        = string
}

variable "dataset_region" {
  description = "The bucket's region, where it is another."
  type        = string
  default     = null
}

variable "image_digest" {
  description = "The first image: sha256:…, as PUSH=1 scripts/build-docker.sh says."
  type        = string
}

variable "architecture" {
  description = "x86_64, or arm64 for Graviton; the same in staging and production, which run one image."
  type        = string
  default     = "x86_64"
}

variable "github_repository" {
  description = "OWNER/NAME, whose workflows deploy."
  type        = string
}

variable "github_owner_id" {
  description = "The owner's number: gh api repos/OWNER/NAME --jq .owner.id; null for a repository that has its name since before 15 July 2026."
  type        = string
  default     = null
}

variable "github_repository_id" {
  description = "The repository's number: gh api repos/OWNER/NAME --jq .id; null as the owner's."
  type        = string
  default     = null
}
