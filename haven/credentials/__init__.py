"""Credentials: what is kept in Secrets Manager, held against what the database lets in."""
