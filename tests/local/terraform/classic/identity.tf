resource "aws_kms_key" "main" {
  description             = "Database"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_kms_alias" "main" {
  name          = "alias/${var.prefix}"
  target_key_id = aws_kms_key.main.key_id
}

data "aws_iam_policy_document" "trust" {
  for_each = {
    monitoring = "monitoring.rds.amazonaws.com"
    proxy      = "rds.amazonaws.com"
    export     = "export.rds.amazonaws.com"
  }
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "main" {
  for_each           = data.aws_iam_policy_document.trust
  name               = "${var.prefix}-${each.key}"
  assume_role_policy = each.value.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.main["monitoring"].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_iam_role_policy" "proxy" {
  name = "read-secrets"
  role = aws_iam_role.main["proxy"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [aws_secretsmanager_secret.master.arn]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [aws_kms_key.main.arn]
      },
    ]
  })
}

data "aws_iam_policy_document" "export" {
  statement {
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.backups.arn]
  }
  statement {
    actions   = ["s3:PutObject*", "s3:GetObject*", "s3:DeleteObject*"]
    resources = ["${aws_s3_bucket.backups.arn}/*"]
  }
}

resource "aws_iam_policy" "export" {
  name   = "${var.prefix}-export"
  policy = data.aws_iam_policy_document.export.json
}

resource "aws_iam_role_policy_attachment" "export" {
  role       = aws_iam_role.main["export"].name
  policy_arn = aws_iam_policy.export.arn
}

resource "aws_secretsmanager_secret" "master" {
  name                    = "haven-tests/classic/master"
  description             = "Login of the master"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "master" {
  secret_id = aws_secretsmanager_secret.master.id
  secret_string = jsonencode({
    engine   = "postgres"
    username = "haven_admin"
    password = var.master_password
    dbname   = "haven_health_db"
    host     = aws_db_instance.primary.address
    port     = "5432"
  })
}
