output "repository_url" {
  description = "Where images are pushed to: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_arn" {
  description = "The repository, for the roles that push and pull."
  value       = aws_ecr_repository.this.arn
}
