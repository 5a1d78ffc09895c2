"""A local cloud: the AWS API on one loopback port, with real PostgreSQL clusters behind RDS."""
