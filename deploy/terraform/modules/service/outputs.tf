output "function_name" {
  description = "FUNCTION_NAME of the environment in GitHub."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "The function."
  value       = aws_lambda_function.this.arn
}

output "function_alias" {
  description = "FUNCTION_ALIAS of the environment in GitHub, which deployments move; empty without provisioned_concurrency."
  value       = local.is_provisioned ? local.alias : ""
}

output "function_url" {
  description = "FUNCTION_URL of the environment in GitHub; where clients ask when there is no CDN."
  value       = aws_lambda_function_url.this.function_url
}

output "url" {
  description = "Where clients ask."
  value       = var.cdn ? "https://${aws_cloudfront_distribution.this[0].domain_name}/" : aws_lambda_function_url.this.function_url
}

output "distribution_id" {
  description = "The CDN, for invalidations; null without one."
  value       = var.cdn ? aws_cloudfront_distribution.this[0].id : null
}

output "export_bucket" {
  description = "The bucket of the exports; null without one."
  value       = var.export_bucket ? aws_s3_bucket.exports[0].bucket : null
}

output "log_group" {
  description = "The function's log."
  value       = aws_cloudwatch_log_group.function.name
}

output "role_arn" {
  description = "What the function runs as, for a bucket policy in another account."
  value       = aws_iam_role.function.arn
}

output "platform" {
  description = "PLATFORM of the repository in GitHub, and of scripts/build-docker.sh."
  value       = { x86_64 = "linux/amd64", arm64 = "linux/arm64" }[var.architecture]
}
