"""Rules on who may do what, and on what RDS does not allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import calls, dotted, expression, key_of, kind, walk, words_of

UNTRUSTED = frozenset({"c", "internal", "plpython3u", "plperlu", "pltclu"})
# Amazon RDS User Guide, PostgreSQL extensions: asked for often, and not there.
REFUSED_EXTENSIONS = frozenset(
    {"adminpack", "citus", "file_fdw", "plperlu", "plpython3u", "pltclu", "timescaledb"}
)
FILE_FUNCTIONS = frozenset(
    {
        "lo_export",
        "lo_import",
        "pg_ls_dir",
        "pg_read_binary_file",
        "pg_read_file",
        "pg_stat_file",
    }
)
# What a condition looks with, at the row or at who asks.
LOOKING = frozenset({"ColumnRef", "FuncCall", "SubLink", "SQLValueFunction"})
SUPER = frozenset({"superuser", "isreplication", "bypassrls"})
BECOMING = frozenset({"role", "session_authorization"})
REFUSED_KINDS = {
    "CreateTableSpaceStmt": "CREATE TABLESPACE with a place on the server",
    "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER",
    "CreateAmStmt": "CREATE ACCESS METHOD",
    "CreateConversionStmt": "CREATE CONVERSION",
    "CreateOpClassStmt": "CREATE OPERATOR CLASS",
    "CreateOpFamilyStmt": "CREATE OPERATOR FAMILY",
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


def altered_function(node: Any, _known: Known) -> Iterator[Found]:
    """ALTER FUNCTION: SECURITY DEFINER without a path, and a path taken away."""
    name = ".".join(words_of(node.func.objname))
    definer, sets, resets = False, False, False
    for item in node.actions:
        if item.defname == "security":
            definer = item.arg.boolval
        elif item.defname == "set":
            sort, what = item.arg.kind.name, item.arg.name
            sets = sets or (what == "search_path" and sort.startswith("VAR_SET"))
            resets = resets or sort == "VAR_RESET_ALL" or (what == "search_path" and not sets)
    if (definer or resets) and not sets:
        paste = f"ALTER FUNCTION {expression(node.func)} SET search_path = pg_catalog, pg_temp;"
        yield Found("definer-search-path", name, paste)


def policy(node: Any, known: Known) -> Iterator[Found]:
    """CREATE POLICY that lets every login through."""
    public = any(item.roletype.name == "ROLESPEC_PUBLIC" for item in node.roles)
    if node.permissive and public:
        yield from _opened(node, known)


def altered_policy(node: Any, known: Known) -> Iterator[Found]:
    """ALTER POLICY that lets every login through."""
    roles = [item.roletype.name for item in node.roles or ()]
    if not roles or "ROLESPEC_PUBLIC" in roles:
        yield from _opened(node, known)


def _opened(node: Any, known: Known) -> Iterator[Found]:
    table = known.table(key_of(node.table))
    harmless = table is not None and not table.personal
    if not harmless and (_always(node.qual) or _always(node.with_check)):
        yield Found("policy-opens", dotted(key_of(node.table)))


def _always(condition: Any) -> bool:
    """Tell whether a condition is true, whatever row and whoever asks."""
    if condition is None or (kind(condition) == "A_Const" and not _is_true(condition)):
        return False
    return not any(kind(node) in LOOKING for node in walk(condition))


def _is_true(constant: Any) -> bool:
    return bool(getattr(constant.val, "boolval", False))


def select(node: Any, _known: Known) -> Iterator[Found]:
    """Functions that reach the server's files, change the role, or log in with a password."""
    for name, texts in calls(node):
        if name in FILE_FUNCTIONS:
            yield Found("rds-refuses", f"{name}, which reaches files of the server")
        if name == "set_config" and set(texts[:1]) & BECOMING:
            yield Found("owner-changed", "what the file makes from here on")
        if name.startswith("dblink") and any("password" in text for text in texts):
            yield Found("literal-password", name)


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
