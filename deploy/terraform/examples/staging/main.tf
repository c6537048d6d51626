# Staging: the images' repository, a function with a public URL, and the role that builds and deploys.
#
#   terraform apply -target=module.registry -var image_digest=none
#   PUSH=1 scripts/build-docker.sh ACCOUNT.dkr.ecr.REGION.amazonaws.com/download-lambda
#   terraform apply -var image_digest=sha256:…

locals {
  environment    = "staging"
  repository_url = module.registry.repository_url
  # A public URL is asked without a signature.
  sign_region = ""
}

module "registry" {
  source = "../../modules/registry"
}

module "service" {
  source = "../../modules/service"

  name               = "download-lambda-staging"
  image_uri          = "${local.repository_url}@${var.image_digest}"
  architecture       = var.architecture
  dataset_bucket     = var.dataset_bucket
  dataset_region     = var.dataset_region
  environment        = "development"
  log_retention_days = 30
  export_bucket      = true
  cors_allow_origins = ["*"]

  settings = {
    LOG_LEVEL = "DEBUG"
  }
}

# One for each account; production uses it too.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

module "github_deploy" {
  source = "../../modules/github-deploy"

  name                 = "download-lambda-staging-deploy"
  oidc_provider_arn    = aws_iam_openid_connect_provider.github.arn
  github_repository    = var.github_repository
  github_owner_id      = var.github_owner_id
  github_repository_id = var.github_repository_id
  github_environment   = local.environment
  function_name        = module.service.function_name
  function_arn         = module.service.function_arn
  function_alias       = module.service.function_alias
  repository_arn       = module.registry.repository_arn
  may_push             = true
}
