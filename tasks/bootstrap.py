"""The bootstrap of a database, as its master: what is there, and making it as wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg import sql

from haven.errors import Failed
from haven.pg import Connection, Login, scram_verifier, session
from haven.sql import QUERIES
from haven.stack.database import (
    ABSENT,
    POWERS,
    PUBLIC,
    WANTED,
    DatabaseChange,
    DatabaseState,
    Role,
    diff_database,
)
from tasks.kinds import changes as changing

# Keywords that statements may be given; everything else is an identifier or a literal.
_WORDS = {
    "CONNECT": sql.SQL("CONNECT"),
    "CREATE": sql.SQL("CREATE"),
    "TEMPORARY": sql.SQL("TEMPORARY"),
    "USAGE": sql.SQL("USAGE"),
    "login": sql.SQL("LOGIN"),
    "no login": sql.SQL("NOLOGIN"),
    "inherit yes": sql.SQL("INHERIT"),
    "inherit no": sql.SQL("NOINHERIT"),
}
_POWER_OFF = {
    "superuser": sql.SQL("NOSUPERUSER"),
    "createdb": sql.SQL("NOCREATEDB"),
    "createrole": sql.SQL("NOCREATEROLE"),
    "replication": sql.SQL("NOREPLICATION"),
    "bypassrls": sql.SQL("NOBYPASSRLS"),
}


@changing
def converge_roles(master: Login, password_of: Callable[[str], str]) -> list[str]:
    """Make the database as wanted, as its master; return what differed, a sentence each."""
    with session(master) as connection:
        differing = diff_database(WANTED, observe_database(connection))
        apply_database(connection, differing, password_of)
    return [change.sentence() for change in differing]


@changing
def repair_password(master: Login, role: str, password: str) -> None:
    """Give a role the password of its secret again, as the master."""
    with session(master) as connection:
        set_password(connection, role, password)


def observe_database(connection: Connection) -> DatabaseState:
    """Read what the bootstrap answers for: four queries, no writes."""
    roles = connection.execute(QUERIES["bootstrap_roles"], {"roles": list(WANTED.roles)})
    observed = {
        name: Role(
            name,
            login,
            inherit,
            frozenset(groups),
            dict(item.split("=", 1) for item in settings),
            frozenset(powers),
        )
        for name, login, inherit, powers, groups, settings in roles.fetchall()
    }
    extensions = connection.execute(QUERIES["bootstrap_extensions"]).fetchall()
    names = sorted(WANTED.schemas | WANTED.schema_grants.keys())
    schemas = connection.execute(QUERIES["bootstrap_schemas"], {"schemas": names}).fetchall()
    grants = connection.execute(QUERIES["bootstrap_database_grants"]).fetchall()
    return DatabaseState(
        roles=observed,
        extensions=frozenset(name for (name,) in extensions),
        schemas=frozenset(name for name, _, _ in schemas),
        database_grants=frozenset((grantee, privilege) for grantee, privilege in grants),
        schema_grants={
            name: frozenset((who, what) for of, who, what in schemas if of == name and who)
            for name in names
        },
    )


def apply_database(
    connection: Connection,
    changes: Sequence[DatabaseChange],
    password_of: Callable[[str], str],
) -> None:
    """Make the changes, in one transaction; ``password_of`` gives a new login its password.

    The password of a role that exists is left as it is: ``set_password`` changes it. Raises
    ``Failed`` when a change was not cured by its statement.
    """
    if not changes:
        return
    with connection.transaction():
        database = sql.Identifier(_database_name(connection))
        for change in changes:
            connection.execute(_statement(connection, change, database, password_of))
        left = diff_database(WANTED, observe_database(connection))
        if left:
            raise Failed(
                f"The bootstrap did not hold: {'; '.join(item.sentence() for item in left)}.",
                left="The database is as it was before.",
                cure="Look at who owns and who granted what is named here.",
            )


def set_password(connection: Connection, role: str, password: str) -> None:
    """Give a role a password, sent as a verifier; the master may do so for every role of ours."""
    verifier = sql.Literal(scram_verifier(connection, role, password))
    query = sql.SQL(QUERIES["alter_role_password"])
    connection.execute(query.format(role=sql.Identifier(role), verifier=verifier))


def _statement(
    connection: Connection,
    change: DatabaseChange,
    database: sql.Identifier,
    password_of: Callable[[str], str],
) -> sql.Composed:
    match change.kind:
        case "role" if change.attribute == "role":
            return _create_role(connection, change, password_of)
        case "role":
            return _alter_role(change)
        case "extension":
            query = sql.SQL(QUERIES["create_extension"])
            return query.format(extension=sql.Identifier(change.subject))
        case "schema" if change.attribute == "schema":
            query = sql.SQL(QUERIES["create_schema"])
            return query.format(schema=sql.Identifier(change.subject))
        case "schema":
            return _grant(change, sql.Identifier(change.subject))
        case "database":
            return _grant(change, database)


def _create_role(
    connection: Connection, change: DatabaseChange, password_of: Callable[[str], str]
) -> sql.Composed:
    role = WANTED.roles[change.subject]
    inherit = _WORDS["inherit yes" if role.inherit else "inherit no"]
    if not role.login:
        query = sql.SQL(QUERIES["create_group_role"])
        return query.format(role=sql.Identifier(role.name), inherit=inherit)
    verifier = scram_verifier(connection, role.name, password_of(role.name))
    return sql.SQL(QUERIES["create_login_role"]).format(
        role=sql.Identifier(role.name), inherit=inherit, verifier=sql.Literal(verifier)
    )


def _alter_role(change: DatabaseChange) -> sql.Composed:
    role = sql.Identifier(change.subject)
    what, _, name = change.attribute.rpartition(" ")
    if what == "member of":
        query = QUERIES["grant_role" if change.wanted == "yes" else "revoke_role"]
        return sql.SQL(query).format(group=sql.Identifier(name), role=role)
    if what == "setting" and change.wanted == ABSENT:
        query = QUERIES["alter_role_reset"]
        return sql.SQL(query).format(role=role, setting=_setting(name))
    if what == "setting":
        return sql.SQL(QUERIES["alter_role_set"]).format(
            role=role, setting=_setting(name), value=sql.Literal(change.wanted)
        )
    if name in POWERS:
        word = _POWER_OFF[name]
    else:
        word = _WORDS[change.wanted if name == "login" else f"inherit {change.wanted}"]
    return sql.SQL(QUERIES["alter_role_login"]).format(role=role, word=word)


def _setting(name: str) -> sql.Composable:
    """A setting's name; those of extensions have two parts."""
    return sql.Identifier(*name.split("."))


def _grant(change: DatabaseChange, subject: sql.Identifier) -> sql.Composed:
    privilege, _, grantee = change.attribute.partition(" for ")
    query = QUERIES[f"{'grant' if change.wanted == 'yes' else 'revoke'}_on_{change.kind}"]
    return sql.SQL(query).format(
        privilege=_WORDS[privilege],
        subject=subject,
        grantee=sql.SQL("PUBLIC") if grantee == PUBLIC else sql.Identifier(grantee),
    )


def _database_name(connection: Connection) -> str:
    row = connection.execute(QUERIES["bootstrap_database_name"]).fetchone()
    if row is None:
        raise Failed("The server did not say which database this is.")
    return str(row[0])
