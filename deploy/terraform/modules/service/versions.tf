terraform {
  required_version = ">= 1.9, < 2"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # invoked_via_function_url of aws_lambda_permission came with 6.29.
      version = ">= 6.29, < 7"
    }
  }
}
