"""What of a database differs from what the master makes: one row each, first nothing."""

from dataclasses import replace

import pytest

from haven.stack.database import (
    EXTENSIONS,
    LOGINS,
    ROLES,
    DatabaseState,
    RoleState,
    database_changes,
)
from haven.stack.names import LOGIN_ROLES


def as_wanted():
    return DatabaseState(
        roles={
            role.name: RoleState(
                role.login,
                role.inherit,
                settings=dict(role.settings),
                member_of=dict.fromkeys(role.member_of, role.inherit),
            )
            for role in ROLES
        },
        extensions=frozenset({*EXTENSIONS, "plpgsql"}),
        database=frozenset(
            {(role.name, item) for role in ROLES for item in role.database}
            | {("haven_admin", "CONNECT"), ("haven_admin", "CREATE")}
        ),
        schema=frozenset({(role.name, item) for role in ROLES for item in role.schema}),
    )


def with_role(name, **changes):
    state = as_wanted()
    return replace(state, roles={**state.roles, name: replace(state.roles[name], **changes)})


def without_role(name):
    state = as_wanted()
    return replace(state, roles={key: one for key, one in state.roles.items() if key != name})


WANTED = as_wanted()
ROWS: tuple[tuple[str, DatabaseState, list[str]], ...] = (
    ("as wanted", WANTED, []),
    (
        "a login is missing",
        without_role("haven_auditor"),
        [
            "role/haven_auditor: present is no, wanted yes",
            "role/haven_auditor: LOGIN is no, wanted yes",
            "role/haven_auditor: setting idle_in_transaction_session_timeout is none, wanted 15min",
            "role/haven_auditor: setting search_path is none, wanted haven_health, audit, public",
        ],
    ),
    (
        "a group is missing",
        without_role("haven_app_ro"),
        ["role/haven_app_ro: present is no, wanted yes"],
    ),
    (
        "the owner can log in",
        with_role("haven_owner", login=True),
        ["role/haven_owner: LOGIN is yes, wanted no"],
    ),
    (
        "the owner inherits",
        with_role("haven_owner", inherit=True),
        ["role/haven_owner: INHERIT is yes, wanted no"],
    ),
    (
        "a power",
        with_role("haven_reader", powers=("CREATEROLE",)),
        ["role/haven_reader: CREATEROLE is yes, wanted no"],
    ),
    (
        "another setting",
        with_role("haven_loader", settings={"work_mem": "1GB"}),
        ["role/haven_loader: setting work_mem is 1GB, wanted none"],
    ),
    (
        "a membership too many",
        with_role("haven_auditor", member_of={"haven_app_rw": True}),
        ["role/haven_auditor: member of haven_app_rw is inherited, wanted none"],
    ),
    (
        "a membership missing",
        with_role("haven_app_a", member_of={}),
        ["role/haven_app_a: member of haven_app_rw is none, wanted inherited"],
    ),
    (
        "emergency access inherited by the owner",
        with_role("haven_owner", member_of={"haven_emergency": True}),
        ["role/haven_owner: member of haven_emergency is inherited, wanted by SET ROLE"],
    ),
    (
        "an extension missing",
        replace(WANTED, extensions=WANTED.extensions - {"pg_trgm"}),
        ["extension/pg_trgm: present is no, wanted yes"],
    ),
    (
        "PUBLIC may connect",
        replace(WANTED, database=WANTED.database | {("PUBLIC", "CONNECT")}),
        ["database: CONNECT to PUBLIC is granted, wanted none"],
    ),
    (
        "a login may not connect",
        replace(WANTED, database=WANTED.database - {("haven_reader", "CONNECT")}),
        ["database: CONNECT to haven_reader is none, wanted granted"],
    ),
    (
        "PUBLIC may create in schema public",
        replace(WANTED, schema=WANTED.schema | {("PUBLIC", "CREATE")}),
        ["schema/public: CREATE to PUBLIC is granted, wanted none"],
    ),
    (
        "somebody else may connect",
        replace(WANTED, database=WANTED.database | {("metabase", "CONNECT")}),
        [],
    ),
)


@pytest.mark.parametrize(("state", "expected"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_the_difference_is_named_and_nothing_else(state, expected):
    assert [change.sentence() for change in database_changes(state)] == expected


def test_roles_come_before_memberships_and_grants_from_nothing():
    subjects = [(item.subject, item.attribute) for item in database_changes(DatabaseState())]
    made = [at for at, item in enumerate(subjects) if item[1] == "present" and "role" in item[0]]
    used = [at for at, item in enumerate(subjects) if "member" in item[1] or " to " in item[1]]
    assert len(made) == len(ROLES)
    assert max(made) < min(used)


def test_every_login_has_a_secret():
    assert set(LOGINS) == set(LOGIN_ROLES)
