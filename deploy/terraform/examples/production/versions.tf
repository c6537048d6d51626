terraform {
  # use_lockfile came with 1.10.
  required_version = ">= 1.10, < 2"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.29, < 7"
    }
  }

  # terraform init -backend-config=bucket=… -backend-config=key=… -backend-config=region=…
  backend "s3" {
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Service     = "download-lambda"
      Environment = local.environment
    }
  }
}
