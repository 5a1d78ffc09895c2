"""The canonical content of a stack's database, read as its master."""

import contextlib
import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.fault.inventory import Account

# Each query returns rows of text; their order is theirs.
QUERIES = {
    "roles": """
        SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
               rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil::text,
               shobj_description(oid, 'pg_authid')
        FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1""",
    "memberships": """
        SELECT role.rolname, member.rolname, admin_option
        FROM pg_auth_members
        JOIN pg_roles role ON role.oid = roleid JOIN pg_roles member ON member.oid = member
        ORDER BY 1, 2""",
    "databases": """
        SELECT datname, pg_get_userbyid(datdba),
               (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(datacl) acl)
        FROM pg_database ORDER BY 1""",
    "settings": """
        SELECT coalesce(datname, ''), coalesce(rolname, ''), setconfig
        FROM pg_db_role_setting
        LEFT JOIN pg_database ON pg_database.oid = setdatabase
        LEFT JOIN pg_roles ON pg_roles.oid = setrole ORDER BY 1, 2""",
    "extensions": "SELECT extname, extversion FROM pg_extension ORDER BY 1",
    "schemas": """
        SELECT nspname, pg_get_userbyid(nspowner),
               (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(nspacl) acl)
        FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1""",
    "relations": """
        SELECT oid::regclass::text, relkind, pg_get_userbyid(relowner), relrowsecurity,
               relforcerowsecurity, reloptions, obj_description(oid, 'pg_class'),
               (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(relacl) acl)
        FROM pg_class
        WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1""",
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,
               col_description(attrelid, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attnum > 0 AND NOT attisdropped
          AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1, attnum""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE conrelid <> 0
          AND connamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1, 2""",
    "indexes": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index
        WHERE indexrelid::regclass::text !~ '^pg_' ORDER BY 1""",
    "policies": "SELECT * FROM pg_policies ORDER BY schemaname, tablename, policyname",
    "functions": """
        SELECT oid::regprocedure::text, md5(prosrc), prosecdef, proconfig,
               (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(proacl) acl)
        FROM pg_proc WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
        ORDER BY 1""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal ORDER BY 1, 2""",
}
# What pg_amcheck looks at: each index against its table, and each table's own pages.
BROKEN = """
    WITH checked AS (
        SELECT count(bt_index_check(indexrelid, heapallindexed => true)) AS indexes
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
        WHERE amname = 'btree' AND relkind = 'i' AND relpersistence = 'p' AND indisready AND indisvalid
    )
    SELECT oid::regclass::text, msg
    FROM checked, pg_class, LATERAL verify_heapam(pg_class.oid)
    WHERE indexes > 0 AND relkind IN ('r', 'm', 't') AND relpersistence = 'p'"""
# The ledger is told without what differs by time; its history, heartbeat and epochs are all that.
DIFFERING = {("haven_ops", name) for name in ("migrations", "history", "heartbeat", "epoch")}
LEDGER = """
    SELECT number, name, checksum, chained_checksum, statements, statements_done, state,
           catalogue_digest
    FROM haven_ops.migrations ORDER BY number"""


def catalogue(account: Account, ca_bundle: Path) -> dict[str, Any]:
    """Return what is in the database of the one stack of an account; nothing when none stands."""
    if secret(account, "master") is None:
        return {}
    with connected(account, ca_bundle, "master") as connection:
        found: dict[str, Any] = {
            f"database {name}": connection.execute(query.encode()).fetchall()
            for name, query in QUERIES.items()
        }
        found["database broken"] = _broken(connection)
    with connected(account, ca_bundle, "haven_migrator") as connection:
        connection.execute("SET ROLE haven_owner")
        found |= _rows(connection)
    loaded: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return loaded


def _broken(connection: psycopg.Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the damage that amcheck finds in tables; that of an index is raised by it."""
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE EXTENSION amcheck")
        return connection.execute(BROKEN.encode()).fetchall()


def connected(
    account: Account, ca_bundle: Path, login: str, database: str | None = None
) -> psycopg.Connection[tuple[Any, ...]]:
    """Log in with a secret of the stack; on another database than the stack's if named.

    In the middle of a rotation it is the pending version that lets in.
    """
    for stage in ("AWSPENDING", "AWSCURRENT"):
        content = secret(account, login, stage)
        if content is None:
            continue
        with contextlib.suppress(psycopg.OperationalError):
            return _opened(content, ca_bundle, database or content["dbname"])
    content = secret(account, login)
    if content is None:
        raise RuntimeError(f"There is no secret of {login} with a host.")
    return _opened(content, ca_bundle, database or content["dbname"])


def _opened(
    content: dict[str, Any], ca_bundle: Path, database: str
) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        host=content["host"],
        port=content["port"],
        dbname=database,
        user=content["username"],
        password=content["password"],
        sslmode="verify-full",
        sslrootcert=str(ca_bundle),
        autocommit=True,
    )


def secret(account: Account, login: str, stage: str = "AWSCURRENT") -> dict[str, Any] | None:
    """Return a version of a login's secret, if there is one that says where the database is."""
    manager = account.client("secretsmanager")
    for item in manager.list_secrets()["SecretList"]:
        if item["Name"].endswith(f"/{login}"):
            try:
                answer = manager.get_secret_value(SecretId=item["ARN"], VersionStage=stage)
            except manager.exceptions.ResourceNotFoundException:
                return None
            content: dict[str, Any] = json.loads(answer["SecretString"])
            return content if "host" in content else None
    return None


def _rows(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the ledger, and how many rows of what content each table has."""
    if connection.execute("SELECT to_regclass('haven_ops.migrations')").fetchone() == (None,):
        return {}
    found: dict[str, Any] = {"ledger": connection.execute(LEDGER.encode()).fetchall()}
    tables = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables "
        "WHERE schemaname !~ '^(pg_|information_schema)' ORDER BY 1, 2"
    ).fetchall()
    for schema, table in tables:
        if (schema, table) in DIFFERING:
            continue
        rows = sql.SQL(
            "SELECT count(*), md5(string_agg(r::text, '' ORDER BY r::text)) FROM {} AS r"
        )
        counted = rows.format(sql.Identifier(schema, table))
        found[f"rows of {schema}.{table}"] = connection.execute(counted).fetchone()
    return found
