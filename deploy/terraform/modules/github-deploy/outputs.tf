output "role_arn" {
  description = "AWS_ROLE_ARN of the environment in GitHub."
  value       = aws_iam_role.this.arn
}
