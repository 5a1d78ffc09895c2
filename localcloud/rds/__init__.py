"""The RDS API: every operation that is offered is this package's own."""
