output "url" {
  description = "Where clients ask."
  value       = module.service.url
}

output "github_variables" {
  description = "The variables of this environment in GitHub."
  value = {
    AWS_REGION     = var.region
    AWS_ROLE_ARN   = module.github_deploy.role_arn
    ECR_REPOSITORY = local.repository_url
    FUNCTION_NAME  = module.service.function_name
    FUNCTION_ALIAS = module.service.function_alias
    FUNCTION_URL   = module.service.function_url
    SIGN_REGION    = local.sign_region
  }
}

output "platform" {
  description = "PLATFORM of the repository in GitHub."
  value       = module.service.platform
}
