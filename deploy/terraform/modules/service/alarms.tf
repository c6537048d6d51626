locals {
  # metric => what is wrong when it is above the threshold for so many of the last periods.
  alarms = {
    Errors = {
      says      = "Invocations fail: the process died, ran out of memory or time"
      statistic = "Sum"
      threshold = var.alarm_errors
      minutes   = 5
      periods   = 1
    }
    Throttles = {
      says      = "Requests are turned away: the concurrency is used up"
      statistic = "Sum"
      threshold = 0
      minutes   = 5
      periods   = 2
    }
    Duration = {
      says      = "Downloads come near the timeout, after which they break off"
      statistic = "p95"
      threshold = var.timeout_seconds * 1000 * 0.8
      minutes   = 5
      periods   = 3
    }
  }
  # What the service counts itself (docs/operations.md). Lambda's Url5xxCount would have every 503 of a client that
  # waits for an export.
  own_alarms = {
    Errors  = { name = "failures", says = "Clients are told 5xx: storage, engine, or no place" }
    Aborted = { name = "aborted", says = "Downloads break off after their headers" }
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${lower(each.key)}"
  alarm_description = each.value.says
  namespace         = "AWS/Lambda"
  metric_name       = each.key
  dimensions        = { FunctionName = aws_lambda_function.this.function_name }

  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = each.value.minutes * 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_topic_arns
  ok_actions    = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "service" {
  for_each = local.own_alarms

  alarm_name        = "${var.name}-${each.value.name}"
  alarm_description = each.value.says
  namespace         = "download-lambda"
  metric_name       = each.key
  dimensions        = { FunctionName = aws_lambda_function.this.function_name }

  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_errors
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_topic_arns
  ok_actions    = var.alarm_topic_arns
}

# Lambda tells the memory used only in the line that ends each invocation.
resource "aws_cloudwatch_log_metric_filter" "memory" {
  name           = "${var.name}-memory"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern = join("", [
    "[type=REPORT, id1=\"RequestId:\", id, ",
    "duration1=\"Duration:\", duration, duration2=ms, ",
    "billed1=Billed, billed2=\"Duration:\", billed, billed3=ms, ",
    "size1=Memory, size2=\"Size:\", size, size3=MB, ",
    "used1=Max, used2=Memory, used3=\"Used:\", used, used4=MB, ...]",
  ])

  metric_transformation {
    namespace = "${var.name}/memory"
    name      = "MaxMemoryUsedMB"
    value     = "$used"
    unit      = "Megabytes"
  }
}

resource "aws_cloudwatch_metric_alarm" "memory" {
  alarm_name        = "${var.name}-memory"
  alarm_description = "An invocation used nearly all of its memory; at the limit Lambda kills it"
  namespace         = aws_cloudwatch_log_metric_filter.memory.metric_transformation[0].namespace
  metric_name       = aws_cloudwatch_log_metric_filter.memory.metric_transformation[0].name

  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = floor(var.memory_mb * 0.9)
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_topic_arns
  ok_actions    = var.alarm_topic_arns
}
