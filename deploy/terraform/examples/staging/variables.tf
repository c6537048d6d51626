variable "region" {
  description = "Where everything but the CDN is."
  type        = string
  default     = "eu-west-2"
}

variable "dataset_bucket" {
  description = "The bucket that holds dataset/NAME.parquet."
  type        = string
}

variable "image_digest" {
  description = "The first image: sha256:…, as PUSH=1 scripts/build-docker.sh says."
  type        = string
}

variable "github_repository" {
  description = "OWNER/NAME, whose workflows deploy."
  type        = string
}
