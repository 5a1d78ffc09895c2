"""The master user, limited as RDS limits it, and the first database."""

from __future__ import annotations

import psycopg
from psycopg import sql

from localcloud.cluster import Cluster

# The names RDS keeps for itself (RDS User Guide, "Master user account privileges").
RESERVED = frozenset(
    {"rdsadmin", "rdsrepladmin", "rds_superuser", "rds_iam", "rds_password", "rds_replication"}
)


def _verifier(session: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> str:
    made = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return made.decode()


def _quietly(session: psycopg.Connection[tuple[object, ...]]) -> None:
    """Keep what a session does out of the log and the statistics that users may read."""
    session.execute("SET log_statement = 'none'")
    session.execute("SET log_min_error_statement = 'panic'")
    session.execute("SET log_min_duration_statement = -1")
    session.execute("SET pg_stat_statements.track = 'none'")


def create_master(cluster: Cluster, name: str, password: str, database: str | None) -> None:
    """Make the master user and, when asked, the database it owns."""
    with cluster.connect() as session:
        _quietly(session)
        verifier = _verifier(session, name, password)
        role = sql.Identifier(name)
        session.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS "
                "VALID UNTIL 'infinity' PASSWORD {}"
            ).format(role, sql.Literal(verifier))
        )
        session.execute(sql.SQL("GRANT rds_superuser TO {}").format(role))
        session.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(role))
        if database and database != "postgres":
            session.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), role)
            )


def set_password(cluster: Cluster, name: str, password: str) -> None:
    """Change the master's password and give back the rights RDS gives it."""
    with cluster.connect() as session:
        _quietly(session)
        verifier = _verifier(session, name, password)
        role = sql.Identifier(name)
        session.execute(
            sql.SQL("ALTER ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
                role, sql.Literal(verifier)
            )
        )
        session.execute(sql.SQL("GRANT rds_superuser TO {}").format(role))
