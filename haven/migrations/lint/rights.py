"""Rules on who may do what, and on what RDS does not allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import kind, words_of

UNTRUSTED = frozenset({"c", "internal", "plpython3u", "plperlu", "pltclu"})
# Amazon RDS User Guide, PostgreSQL extensions: asked for often, and not there.
REFUSED_EXTENSIONS = frozenset(
    {"adminpack", "citus", "file_fdw", "plperlu", "plpython3u", "pltclu", "timescaledb"}
)
SUPER = frozenset({"superuser", "isreplication", "bypassrls"})
BECOMING = frozenset({"role", "session_authorization"})
REFUSED_KINDS = {
    "CreateTableSpaceStmt": "CREATE TABLESPACE with a place on the server",
    "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER",
    "CreateAmStmt": "CREATE ACCESS METHOD",
    "CreateConversionStmt": "CREATE CONVERSION",
    "LoadStmt": "LOAD of a library",
    "CheckPointStmt": "CHECKPOINT",
    "CreatedbStmt": "CREATE DATABASE in a migration of a database",
    "DropdbStmt": "DROP DATABASE in a migration of a database",
}


def function(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE FUNCTION: whose rights it has, and in what language it is."""
    name, options = ".".join(words_of(node.funcname)), {}
    fixed = False
    for item in node.options or ():
        options[item.defname] = item.arg
        fixed = fixed or (item.defname == "set" and item.arg.name == "search_path")
    definer = options.get("security")
    if definer is not None and definer.boolval and not fixed:
        paste = f"ALTER FUNCTION {name} SET search_path = pg_catalog, pg_temp;"
        yield Found("definer-search-path", name, paste)
    language = options.get("language")
    if language is not None and language.sval.lower() in UNTRUSTED:
        yield Found("rds-refuses", f"a function in the language {language.sval}")


def grant(node: Any, _known: Known) -> Iterator[Found]:
    """GRANT to PUBLIC."""
    if node.is_grant and any(item.roletype.name == "ROLESPEC_PUBLIC" for item in node.grantees):
        words = [item.priv_name or "all" for item in node.privileges or ()] or ["all"]
        yield Found("grant-to-public", ", ".join(words).upper())


def default_grant(node: Any, known: Known) -> Iterator[Found]:
    """ALTER DEFAULT PRIVILEGES … GRANT to PUBLIC."""
    yield from grant(node.action, known)


def role(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE or ALTER ROLE with a password, or with what only superusers have."""
    name = node.role if isinstance(node.role, str) else node.role.rolename
    for item in node.options or ():
        if item.defname == "password" and item.arg is not None:
            yield Found("literal-password", str(name))
        if item.defname in SUPER and item.arg.boolval:
            yield Found("rds-refuses", f"the attribute {item.defname} for {name}")


def mapping(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE or ALTER USER MAPPING with a password."""
    if any(item.defname == "password" for item in node.options or ()):
        yield Found("literal-password", f"the server {node.servername}")


def subscription(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE or ALTER SUBSCRIPTION with a password in its connection."""
    if "password" in (node.conninfo or ""):
        yield Found("literal-password", f"the subscription {node.subname}")


def setting(node: Any, _known: Known) -> Iterator[Found]:
    """SET and RESET of ROLE and SESSION AUTHORIZATION: what follows belongs to somebody else."""
    if node.name in BECOMING:
        yield Found("owner-changed", "what the file makes from here on")


def extension(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE EXTENSION that RDS does not have."""
    if node.extname.lower() in REFUSED_EXTENSIONS:
        yield Found("rds-refuses", f"the extension {node.extname}")


def drop_owned(node: Any, _known: Known) -> Iterator[Found]:
    """DROP OWNED and REASSIGN OWNED."""
    names = ", ".join(str(item.rolename or "the current role") for item in node.roles)
    hazard = "drop-loses-data" if kind(node) == "DropOwnedStmt" else "owner-changed"
    yield Found(hazard, f"everything of {names}")


def refused(node: Any, _known: Known) -> Iterator[Found]:
    """What no user of RDS may do."""
    yield Found("rds-refuses", REFUSED_KINDS[kind(node)])
