"""Database proxies: TLS listeners that speak PostgreSQL's protocol."""
