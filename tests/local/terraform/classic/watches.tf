resource "aws_sns_topic" "alerts" {
  name              = "${var.prefix}-alerts"
  kms_master_key_id = aws_kms_key.main.arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alerts.arn
    }]
  })
}

resource "aws_sns_topic_subscription" "alerts" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = "alerts@example.org"
}

resource "aws_db_event_subscription" "main" {
  name             = "${var.prefix}-events"
  sns_topic        = aws_sns_topic.alerts.arn
  source_type      = "db-instance"
  event_categories = ["availability", "failover", "failure", "low storage"]
}

locals {
  alarms = {
    cpu         = ["CPUUtilization", "GreaterThanThreshold", 80, 2, "breaching"]
    connections = ["DatabaseConnections", "GreaterThanThreshold", 80, 2, "notBreaching"]
    storage     = ["FreeStorageSpace", "LessThanThreshold", 10 * 1024 * 1024 * 1024, 1, "notBreaching"]
  }
}

resource "aws_cloudwatch_metric_alarm" "primary" {
  for_each            = local.alarms
  alarm_name          = "${var.prefix}-primary-${each.key}"
  namespace           = "AWS/RDS"
  metric_name         = each.value[0]
  comparison_operator = each.value[1]
  threshold           = each.value[2]
  evaluation_periods  = each.value[3]
  treat_missing_data  = each.value[4]
  statistic           = "Average"
  period              = 300
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
  dimensions          = { DBInstanceIdentifier = aws_db_instance.primary.identifier }
}

resource "aws_cloudwatch_metric_alarm" "lag" {
  count               = 2
  alarm_name          = "${var.prefix}-replica-${count.index + 1}-lag"
  namespace           = "AWS/RDS"
  metric_name         = "ReplicaLag"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  statistic           = "Average"
  period              = 300
  alarm_actions       = [aws_sns_topic.alerts.arn]
  dimensions          = { DBInstanceIdentifier = aws_db_instance.replica[count.index].identifier }
}
