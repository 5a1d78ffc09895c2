"""Haven: the life of a PostgreSQL database on Amazon RDS, decided by pure functions."""
