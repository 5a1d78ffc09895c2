"""Roles, extensions and grants that the master makes before the first schema file, and their diff.

A table of facts and a pure comparison. The master is no superuser: it holds CREATEROLE and
owns the database. Nothing here carries a password.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Privilege = tuple[str, str]  # grantee, privilege
PUBLIC = "public"
EVERYONE = "PUBLIC"
NONE = "none"


@dataclass(frozen=True, slots=True)
class Role:
    """A role as it must be. ``inherit`` says whether it has its memberships' rights unasked."""

    name: str
    login: bool = False
    inherit: bool = True
    member_of: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    database: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleState:
    """A role as it was found."""

    login: bool
    inherit: bool
    powers: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    # Membership in another role, and whether its rights are inherited.
    member_of: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What was observed. Grantees are role names, or PUBLIC."""

    roles: Mapping[str, RoleState] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset()
    database: frozenset[Privilege] = frozenset()
    schema: frozenset[Privilege] = frozenset()


@dataclass(frozen=True, slots=True)
class DatabaseChange:
    """One difference: on what, in which attribute."""

    subject: str
    attribute: str
    wanted: str
    found: str

    def sentence(self) -> str:
        """Describe it as reports do."""
        return f"{self.subject}: {self.attribute} is {self.found}, wanted {self.wanted}"


# Policies make plans look dear, and compiling such a plan takes longer than running it.
_SHORT = (
    ("idle_in_transaction_session_timeout", "1min"),
    ("jit", "off"),
    ("lock_timeout", "5s"),
    ("search_path", "haven_health, public"),
    ("statement_timeout", "30s"),
)
_LONG = (
    ("idle_in_transaction_session_timeout", "15min"),
    ("search_path", "haven_health, audit, public"),
)
# Every schema file names its schemas; a file of somebody else's may not. What it makes must not
# land beside the ledger or the access log.
_MIGRATOR = (
    ("idle_in_transaction_session_timeout", "15min"),
    ("search_path", "haven_health, public"),
)

# Groups come before their members. A role that does not inherit assumes the other explicitly,
# by SET ROLE: so the migrator never writes as the loader, nor the owner reads as emergency
# access, without saying so. The owner is a member of haven_emergency only to hand the one
# SECURITY DEFINER function over to it.
ROLES = (
    Role("haven_emergency"),
    Role(
        "haven_owner",
        inherit=False,
        member_of=("haven_emergency",),
        database=("CREATE", "TEMPORARY"),
        schema=("CREATE", "USAGE"),
    ),
    Role("haven_loader", database=("TEMPORARY",), schema=("USAGE",)),
    Role("haven_backfill", database=("TEMPORARY",), schema=("USAGE",)),
    Role("haven_app_rw", schema=("USAGE",)),
    Role("haven_app_ro", schema=("USAGE",)),
    Role(
        "haven_migrator",
        login=True,
        inherit=False,
        member_of=("haven_backfill", "haven_loader", "haven_owner"),
        settings=_MIGRATOR,
        database=("CONNECT", "TEMPORARY"),
        schema=("USAGE",),
    ),
    Role(
        "haven_app_a",
        login=True,
        member_of=("haven_app_rw",),
        settings=_SHORT,
        database=("CONNECT",),
    ),
    Role(
        "haven_app_b",
        login=True,
        member_of=("haven_app_rw",),
        settings=_SHORT,
        database=("CONNECT",),
    ),
    Role("haven_reader", login=True, settings=_LONG, database=("CONNECT",), schema=("USAGE",)),
    Role("haven_auditor", login=True, settings=_LONG, database=("CONNECT",)),
)
EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgcrypto", "pgstattuple")
LOGINS = tuple(role.name for role in ROLES if role.login)


def database_changes(state: DatabaseState) -> tuple[DatabaseChange, ...]:
    """Compare what was found with what must be; in the order in which it can be put right."""
    wanted = {role.name for role in ROLES}
    return (
        *(change for role in ROLES for change in _role(role, state.roles.get(role.name))),
        *(change for role in ROLES for change in _memberships(role, state.roles.get(role.name))),
        *(
            DatabaseChange(f"extension/{name}", "present", "yes", "no")
            for name in EXTENSIONS
            if name not in state.extensions
        ),
        *_grants(
            "database",
            {(role.name, privilege) for role in ROLES for privilege in role.database},
            {grant for grant in state.database if grant[0] in wanted | {EVERYONE}},
        ),
        *_grants(
            f"schema/{PUBLIC}",
            {(role.name, privilege) for role in ROLES for privilege in role.schema},
            {grant for grant in state.schema if grant[0] in wanted | {EVERYONE}},
        ),
    )


def _role(role: Role, found: RoleState | None) -> Iterator[DatabaseChange]:
    subject = f"role/{role.name}"
    if found is None:
        yield DatabaseChange(subject, "present", "yes", "no")
    have = found or RoleState(login=False, inherit=True)
    if have.login != role.login:
        yield DatabaseChange(subject, "LOGIN", _yes(role.login), _yes(have.login))
    if have.inherit != role.inherit:
        yield DatabaseChange(subject, "INHERIT", _yes(role.inherit), _yes(have.inherit))
    for power in have.powers:
        yield DatabaseChange(subject, power, "no", "yes")
    settings = dict(role.settings)
    for name in sorted(settings.keys() | have.settings.keys()):
        value, seen = settings.get(name, NONE), have.settings.get(name, NONE)
        if value != seen:
            yield DatabaseChange(subject, f"setting {name}", value, seen)


def _memberships(role: Role, found: RoleState | None) -> Iterator[DatabaseChange]:
    have = found.member_of if found else {}
    for group in sorted(have.keys() | set(role.member_of)):
        wanted = _membership(role.inherit if group in role.member_of else None)
        seen = _membership(have.get(group))
        if wanted != seen:
            yield DatabaseChange(f"role/{role.name}", f"member of {group}", wanted, seen)


def _membership(inherits: bool | None) -> str:
    if inherits is None:
        return NONE
    return "inherited" if inherits else "by SET ROLE"


def _grants(
    subject: str, wanted: set[Privilege], found: set[Privilege]
) -> Iterator[DatabaseChange]:
    for grantee, privilege in sorted(wanted ^ found):
        have = (grantee, privilege) in found
        yield DatabaseChange(
            subject,
            f"{privilege} to {grantee}",
            NONE if have else "granted",
            "granted" if have else NONE,
        )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
