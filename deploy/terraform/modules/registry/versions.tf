terraform {
  required_version = ">= 1.9, < 2"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Tags that may change beside those that may not came before 6.25.
      version = ">= 6.25, < 7"
    }
  }
}
