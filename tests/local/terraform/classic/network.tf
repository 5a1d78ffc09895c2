resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_subnet" "private" {
  count             = 3
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
  availability_zone = local.zones[count.index]
}

resource "aws_db_subnet_group" "main" {
  name        = var.prefix
  description = "Private subnets"
  subnet_ids  = aws_subnet.private[*].id
}

resource "aws_security_group" "app" {
  name        = "${var.prefix}-app"
  description = "Applications"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "proxy" {
  name        = "${var.prefix}-proxy"
  description = "RDS Proxy"
  vpc_id      = aws_vpc.main.id
}

# With its rules in it, as older configurations have them.
resource "aws_security_group" "database" {
  name        = "${var.prefix}-database"
  description = "Database"
  vpc_id      = aws_vpc.main.id
  ingress {
    description     = "From the proxy"
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [aws_security_group.proxy.id]
  }
  ingress {
    description = "From the office"
    from_port   = 5432
    to_port     = 5432
    protocol    = "tcp"
    cidr_blocks = ["192.0.2.0/24"]
  }
}

resource "aws_security_group_rule" "app_to_proxy" {
  type                     = "egress"
  security_group_id        = aws_security_group.app.id
  from_port                = 5432
  to_port                  = 5432
  protocol                 = "tcp"
  source_security_group_id = aws_security_group.proxy.id
}

resource "aws_vpc_security_group_ingress_rule" "proxy_from_app" {
  security_group_id            = aws_security_group.proxy.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = aws_security_group.app.id
}

resource "aws_vpc_security_group_egress_rule" "proxy_to_everything" {
  security_group_id = aws_security_group.proxy.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_route53_zone" "private" {
  name = "classic.haven-tests.internal"
  vpc {
    vpc_id = aws_vpc.main.id
  }
}

resource "aws_route53_record" "writer" {
  zone_id = aws_route53_zone.private.zone_id
  name    = "writer.${aws_route53_zone.private.name}"
  type    = "CNAME"
  ttl     = 30
  records = [aws_db_proxy.main.endpoint]
}
