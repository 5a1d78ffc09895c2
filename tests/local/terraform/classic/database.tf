resource "aws_db_parameter_group" "primary" {
  name        = "${var.prefix}-primary-postgres15"
  family      = "postgres15"
  description = "Primary"
  dynamic "parameter" {
    for_each = {
      "log_lock_waits"             = ["1", "immediate"]
      "log_min_duration_statement" = ["1000", "immediate"]
      "max_connections"            = ["100", "pending-reboot"]
      "rds.force_ssl"              = ["1", "immediate"]
      "shared_preload_libraries"   = ["pg_stat_statements", "pending-reboot"]
    }
    content {
      name         = parameter.key
      value        = parameter.value[0]
      apply_method = parameter.value[1]
    }
  }
}

resource "aws_cloudwatch_log_group" "primary" {
  name              = "/aws/rds/instance/${var.prefix}-primary/postgresql"
  retention_in_days = 30
}

resource "aws_db_instance" "primary" {
  identifier                            = "${var.prefix}-primary"
  engine                                = "postgres"
  engine_version                        = "15"
  instance_class                        = "db.t4g.medium"
  allocated_storage                     = 20
  max_allocated_storage                 = 100
  storage_type                          = "gp3"
  storage_encrypted                     = true
  kms_key_id                            = aws_kms_key.main.arn
  db_name                               = "haven_health_db"
  username                              = "haven_admin"
  password                              = var.master_password
  multi_az                              = true
  db_subnet_group_name                  = aws_db_subnet_group.main.name
  vpc_security_group_ids                = [aws_security_group.database.id]
  parameter_group_name                  = aws_db_parameter_group.primary.name
  backup_retention_period               = 35
  backup_window                         = "03:00-04:00"
  maintenance_window                    = "sun:04:00-sun:05:00"
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.main["monitoring"].arn
  performance_insights_enabled          = true
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
  copy_tags_to_snapshot                 = true
  ca_cert_identifier                    = "rds-ca-rsa2048-g1"
  skip_final_snapshot                   = true
  depends_on                            = [aws_cloudwatch_log_group.primary]
}

resource "aws_db_instance" "replica" {
  count                                 = 2
  identifier                            = "${var.prefix}-replica-${count.index + 1}"
  replicate_source_db                   = aws_db_instance.primary.identifier
  instance_class                        = "db.t4g.medium"
  availability_zone                     = local.zones[count.index + 1]
  storage_encrypted                     = true
  max_allocated_storage                 = 100
  vpc_security_group_ids                = [aws_security_group.database.id]
  parameter_group_name                  = aws_db_parameter_group.primary.name
  maintenance_window                    = "sun:04:00-sun:05:00"
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.main["monitoring"].arn
  performance_insights_enabled          = true
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = ["postgresql"]
  copy_tags_to_snapshot                 = true
  skip_final_snapshot                   = true
}

resource "aws_db_proxy" "main" {
  name                   = "${var.prefix}-proxy"
  engine_family          = "POSTGRESQL"
  role_arn               = aws_iam_role.main["proxy"].arn
  vpc_subnet_ids         = aws_subnet.private[*].id
  vpc_security_group_ids = [aws_security_group.proxy.id]
  require_tls            = true
  idle_client_timeout    = 1800
  auth {
    auth_scheme = "SECRETS"
    iam_auth    = "DISABLED"
    secret_arn  = aws_secretsmanager_secret.master.arn
  }
  depends_on = [aws_iam_role_policy.proxy, aws_secretsmanager_secret_version.master]
}

resource "aws_db_proxy_default_target_group" "main" {
  db_proxy_name = aws_db_proxy.main.name
  connection_pool_config {
    max_connections_percent      = 100
    max_idle_connections_percent = 50
    connection_borrow_timeout    = 120
  }
}

resource "aws_db_proxy_target" "main" {
  db_proxy_name          = aws_db_proxy.main.name
  target_group_name      = aws_db_proxy_default_target_group.main.name
  db_instance_identifier = aws_db_instance.primary.identifier
}
