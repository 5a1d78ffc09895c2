"""Bootstrapping a database as the master: roles, extensions, grants, first passwords.

Passwords leave this process as SCRAM verifiers only, and those as parameters only: neither the
server's log nor its statistics ever hold one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg import sql

from haven.identifiers import identifier
from haven.pg import Connection, Login, scram_verifier, session
from haven.sql import QUERIES
from haven.stack.database import (
    EVERYONE,
    LOGINS,
    NONE,
    PUBLIC,
    ROLES,
    DatabaseChange,
    DatabaseState,
    RoleState,
)
from tasks.kinds import changes, looks

PasswordOf = Callable[[str], str]


@looks
def look_at_database(master: Login) -> DatabaseState:
    """Log in as the master and read what the database has."""
    with session(master) as connection:
        return observe_database(connection)


@changes
def change_database(
    master: Login, wanted: Sequence[DatabaseChange], logins: Sequence[Login]
) -> None:
    """Log in as the master and put right what differs; a new role gets its login's password."""
    by_user = {login.user: login.password for login in logins}
    with session(master) as connection:
        apply_database(connection, wanted, by_user.__getitem__)


@changes
def repair_password(master: Login, login: Login) -> None:
    """Log in as the master and give a role the password of its login."""
    with session(master) as connection:
        set_password(connection, login.user, login.password)


def observe_database(connection: Connection) -> DatabaseState:
    """Read roles, memberships, extensions and grants; four queries, no writes."""
    names = {"roles": [role.name for role in ROLES]}
    members: dict[str, dict[str, bool]] = {}
    for member, group, inherits in connection.execute(QUERIES["bootstrap_memberships"], names):
        members.setdefault(member, {})[group] = inherits
    roles = {
        name: RoleState(login, inherit, tuple(powers), _settings(settings), members.get(name, {}))
        for name, login, inherit, powers, settings in connection.execute(
            QUERIES["bootstrap_roles"], names
        )
    }
    extensions = frozenset(row[0] for row in connection.execute(QUERIES["bootstrap_extensions"]))
    grants: dict[str, set[tuple[str, str]]] = {"database": set(), "schema": set()}
    for kind, grantee, privilege in connection.execute(QUERIES["bootstrap_grants"]):
        grants[kind].add((grantee, privilege))
    return DatabaseState(
        roles, extensions, frozenset(grants["database"]), frozenset(grants["schema"])
    )


def _settings(entries: Sequence[str]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in entries)


def apply_database(
    connection: Connection, wanted: Sequence[DatabaseChange], password_of: PasswordOf
) -> None:
    """Put right what differs, in one transaction; each statement can be run again."""
    with connection.transaction():
        connection.execute(QUERIES["bootstrap_lock"])
        for change in wanted:
            for statement in _statements(connection, change):
                connection.execute(statement)
            kind, _, name = change.subject.partition("/")
            if (kind, change.attribute) == ("role", "present") and name in LOGINS:
                set_password(connection, name, password_of(name))


def _statements(connection: Connection, change: DatabaseChange) -> list[sql.Composed]:
    kind, _, name = change.subject.partition("/")
    if kind == "extension":
        return [sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(identifier(name))]
    if kind == "role":
        return _role_statements(name, change)
    place = (
        sql.SQL("DATABASE {}").format(identifier(connection.info.dbname))
        if kind == "database"
        else sql.SQL("SCHEMA {}").format(identifier(PUBLIC))
    )
    return [_grant(place, change)]


def _grant(place: sql.Composed, change: DatabaseChange) -> sql.Composed:
    privilege, _, grantee = change.attribute.partition(" to ")
    to = sql.SQL("PUBLIC") if grantee == EVERYONE else identifier(grantee)
    verb = "REVOKE {} ON {} FROM {}" if change.wanted == NONE else "GRANT {} ON {} TO {}"
    return sql.SQL(verb).format(_PRIVILEGES[privilege], place, to)


_PRIVILEGES = {name: sql.SQL(name) for name in ("CONNECT", "CREATE", "TEMPORARY", "USAGE")}
_ATTRIBUTES = {
    ("LOGIN", "yes"): sql.SQL("LOGIN"),
    ("LOGIN", "no"): sql.SQL("NOLOGIN"),
    ("INHERIT", "yes"): sql.SQL("INHERIT"),
    ("INHERIT", "no"): sql.SQL("NOINHERIT"),
    ("CREATEROLE", "no"): sql.SQL("NOCREATEROLE"),
    ("CREATEDB", "no"): sql.SQL("NOCREATEDB"),
}


def _role_statements(name: str, change: DatabaseChange) -> list[sql.Composed]:
    role = identifier(name)
    verb, _, rest = change.attribute.partition(" ")
    if verb == "present":
        return [sql.SQL("CREATE ROLE {} NOLOGIN").format(role)]
    if verb == "setting":
        return [_setting(role, rest, change.wanted)]
    if verb == "member":
        return _membership(role, rest.removeprefix("of "), change)
    attribute = _ATTRIBUTES[change.attribute, change.wanted]
    return [sql.SQL("ALTER ROLE {} {}").format(role, attribute)]


def _setting(role: sql.Identifier, name: str, wanted: str) -> sql.Composed:
    setting = identifier(name)
    if wanted == NONE:
        return sql.SQL("ALTER ROLE {} RESET {}").format(role, setting)
    # A list, such as search_path, is a list of values: quoted whole it would be one name.
    values = sql.SQL(", ").join(sql.Literal(value) for value in wanted.split(", "))
    return sql.SQL("ALTER ROLE {} SET {} = {}").format(role, setting, values)


def _membership(role: sql.Identifier, group: str, change: DatabaseChange) -> list[sql.Composed]:
    of = identifier(group)
    statements = []
    if change.found != NONE:
        statements.append(sql.SQL("REVOKE {} FROM {}").format(of, role))
    if change.wanted != NONE:
        # Since version 16 a grant takes its INHERIT option from the member when it is made.
        statements.append(sql.SQL("GRANT {} TO {}").format(of, role))
    return statements


def set_password(connection: Connection, role: str, password: str) -> None:
    """Give a role a password; only its verifier is sent, and no log of the server shows it."""
    identifier(role)
    values = {"role": role, "verifier": scram_verifier(connection, role, password)}
    with connection.transaction():
        connection.execute(QUERIES["bootstrap_keep_verifier"], values)
        connection.execute(QUERIES["bootstrap_use_verifier"])
