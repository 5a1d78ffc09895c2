"""What the bootstrap makes inside a database: roles, extensions, schemas, grants; and the diff.

Made by the master, because the owner of the objects may create neither roles nor untrusted
extensions. Passwords are no part of the state: no login on RDS can read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["role", "schema", "extension", "database"]

OWNER = "haven_owner"
MIGRATOR = "haven_migrator"
LOADER = "haven_loader"
PUBLIC = "public"
ABSENT = "absent"
# Attributes no role of ours has; the master could not take all of them away again.
POWERS = ("superuser", "createdb", "createrole", "replication", "bypassrls")


@dataclass(frozen=True, slots=True)
class Role:
    """A role: whether it logs in, whether it has its groups' rights unasked, settings of its logins."""

    name: str
    login: bool = False
    inherit: bool = True
    member_of: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    powers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What is, or what should be: roles by name, extensions with their schema, grants.

    ``schemas`` are those the bootstrap answers for; ``schema_grants`` and ``database_grants``
    hold (grantee, privilege), for schemas under the schema's name.
    """

    roles: Mapping[str, Role]
    extensions: frozenset[str]
    schemas: frozenset[str]
    database_grants: frozenset[tuple[str, str]]
    schema_grants: Mapping[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class DatabaseChange:
    """One attribute of one subject that is not as wanted. Holds no secret."""

    kind: Kind
    subject: str
    attribute: str
    wanted: str
    found: str

    def sentence(self) -> str:
        """Say it the way reports and plans print it."""
        subject = self.kind if self.kind == "database" else f"{self.kind} {self.subject}"
        return f"{subject}, {self.attribute}: wanted {self.wanted}, found {self.found}"


# What an application's session may do to others by being slow (PostgreSQL, "Client Connection
# Defaults"). Times are in the unit PostgreSQL shows them in, so that they compare as text.
APPLICATION = {
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "2s",
    "search_path": "haven_health",
    "statement_timeout": "15s",
}
READER = {
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "1h",
    "lock_timeout": "5s",
    "search_path": "haven_health",
}
AUDITOR = {
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "5min",
    "lock_timeout": "5s",
    "search_path": "audit",
    "statement_timeout": "10min",
}

# The owner and the migrator do not inherit: row-level security asks for inherited rights, so
# neither sees a row before it assumes the loader or the backfill by name.
ROLES = (
    Role("haven_app_rw"),
    Role("haven_app_ro"),
    Role("haven_loader"),
    Role("haven_backfill"),
    Role("haven_emergency"),
    Role(OWNER, inherit=False, member_of=frozenset({"haven_emergency"})),
    Role(
        MIGRATOR,
        login=True,
        inherit=False,
        member_of=frozenset({OWNER, LOADER, "haven_backfill"}),
        settings={"idle_in_transaction_session_timeout": "5min", "lock_timeout": "2s"},
    ),
    Role("haven_app_a", True, member_of=frozenset({"haven_app_rw"}), settings=APPLICATION),
    Role("haven_app_b", True, member_of=frozenset({"haven_app_rw"}), settings=APPLICATION),
    Role("haven_reader", True, settings=READER),
    Role("haven_auditor", True, settings=AUDITOR),
)
LOGIN_ROLES = tuple(role.name for role in ROLES if role.login)

WANTED = DatabaseState(
    roles={role.name: role for role in ROLES},
    extensions=frozenset({"pg_stat_statements"}),
    schemas=frozenset({"extensions"}),
    database_grants=frozenset(
        {(name, "CONNECT") for name in LOGIN_ROLES}
        | {(OWNER, "CREATE"), (OWNER, "TEMPORARY")}
        | {(LOADER, "TEMPORARY"), ("haven_backfill", "TEMPORARY")}
    ),
    # An unqualified name in a migration lands in public, which is the owner's alone.
    schema_grants={
        "extensions": frozenset({(OWNER, "USAGE")}),
        "public": frozenset({(OWNER, "USAGE"), (OWNER, "CREATE")}),
    },
)


def diff_database(wanted: DatabaseState, found: DatabaseState) -> tuple[DatabaseChange, ...]:
    """Return what must change, in an order in which it can be applied; nothing when all is well."""
    return (
        *_missing_roles(wanted, found),
        *_role_attributes(wanted, found),
        *_schemas_and_extensions(wanted, found),
        *_grants(wanted, found),
    )


def _missing_roles(wanted: DatabaseState, found: DatabaseState) -> Iterator[DatabaseChange]:
    for name, role in wanted.roles.items():
        if name not in found.roles:
            yield DatabaseChange("role", name, "role", _login_word(role), ABSENT)


def _role_attributes(wanted: DatabaseState, found: DatabaseState) -> Iterator[DatabaseChange]:
    for name, role in wanted.roles.items():
        # A role that is absent will be made with its login and its inheritance as wanted.
        seen = found.roles.get(name) or Role(name, role.login, role.inherit)
        if seen.login != role.login:
            yield DatabaseChange("role", name, "login", _login_word(role), _login_word(seen))
        if seen.inherit != role.inherit:
            yield DatabaseChange("role", name, "inherit", _yes(role.inherit), _yes(seen.inherit))
        for power in sorted(seen.powers):
            yield DatabaseChange("role", name, power, "no", "yes")
        for group in sorted(role.member_of ^ seen.member_of):
            member = group in role.member_of
            yield DatabaseChange("role", name, f"member of {group}", _yes(member), _yes(not member))
        for setting in sorted(role.settings.keys() | seen.settings.keys()):
            want, have = role.settings.get(setting, ABSENT), seen.settings.get(setting, ABSENT)
            if want != have:
                yield DatabaseChange("role", name, f"setting {setting}", want, have)


def _schemas_and_extensions(
    wanted: DatabaseState, found: DatabaseState
) -> Iterator[DatabaseChange]:
    for schema in sorted(wanted.schemas - found.schemas):
        yield DatabaseChange("schema", schema, "schema", "present", ABSENT)
    for extension in sorted(wanted.extensions - found.extensions):
        yield DatabaseChange("extension", extension, "extension", "present", ABSENT)


def _grants(wanted: DatabaseState, found: DatabaseState) -> Iterator[DatabaseChange]:
    ours = wanted.roles.keys() | {PUBLIC}
    yield from _grant_changes("database", "", wanted.database_grants, found.database_grants, ours)
    for schema, grants in sorted(wanted.schema_grants.items()):
        seen = found.schema_grants.get(schema, frozenset())
        yield from _grant_changes("schema", schema, grants, seen, ours)


def _grant_changes(
    kind: Kind,
    subject: str,
    wanted: frozenset[tuple[str, str]],
    found: frozenset[tuple[str, str]],
    ours: set[str],
) -> Iterator[DatabaseChange]:
    for grantee, privilege in sorted(wanted ^ found):
        if grantee in ours:
            want = (grantee, privilege) in wanted
            attribute = f"{privilege} for {grantee}"
            yield DatabaseChange(kind, subject, attribute, _yes(want), _yes(not want))


def _login_word(role: Role) -> str:
    return "login" if role.login else "no login"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
