"""The access log: append-only at every door, by month, and written by emergency access."""

import uuid

import psycopg
import pytest

from haven.sample_data.people import organizations

pytestmark = pytest.mark.local

PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent = 'audit.access_logs'::regclass ORDER BY 1
"""
CHANGES = (
    "UPDATE {} SET purpose = 'other'",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "TRUNCATE {} CASCADE",
)
EMERGENCY = "SELECT patient_id, records FROM haven_health.emergency_access(%s, 'physician', %s)"


def partitions(connection):
    return [row[0] for row in connection.execute(PARTITIONS)]


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("directly", [False, True], ids=["by its parent", "at a partition"])
def test_not_even_the_owner_changes_a_row(database, statement, directly):
    with database.acting("haven_owner") as connection:
        target = partitions(connection)[0] if directly else "audit.access_logs"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(statement.format(target))


@pytest.mark.parametrize("statement", CHANGES)
def test_replication_mode_opens_no_door(database, statement):
    with database.acting("haven_admin") as connection:
        connection.execute("GRANT haven_owner TO haven_admin")
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL ROLE haven_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(statement.format("audit.access_logs"))


def test_a_detached_partition_keeps_its_guards(database):
    with database.acting("haven_owner") as connection:
        name = partitions(connection)[-1]
        connection.execute(f"ALTER TABLE audit.access_logs DETACH PARTITION {name}")
        triggers = connection.execute(
            "SELECT tgname, tgenabled = 'A' FROM pg_trigger WHERE tgrelid = %s::regclass ORDER BY 1",
            (name,),
        ).fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(f"TRUNCATE {name}")
    assert triggers == [("refuse_change", True), ("refuse_change_of_row", True)]


def test_there_is_no_default_partition_and_a_missing_month_is_refused(database):
    with database.acting("haven_loader") as connection:
        assert not [name for name in partitions(connection) if "default" in name]
        with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
            connection.execute(
                "INSERT INTO audit.access_logs (accessed_at, user_id, organization_id, action, "
                "channel, result, user_role, resource_type, purpose) VALUES ('1999-01-01', %s, "
                "%s, 'view', 'api', 'success', 'nurse', 'patient', 'care')",
                (uuid.uuid4(), uuid.uuid4()),
            )


@pytest.mark.parametrize(("back", "ahead", "made"), [(0, 12, 0), (0, 14, 2), (0, 0, 0)], ids=str)
def test_only_missing_months_are_made(database, back, ahead, made):
    with database.acting("haven_owner") as connection:
        before = set(partitions(connection))
        row = connection.execute(
            "SELECT audit.ensure_access_log_partitions(%s, %s)", (back, ahead)
        ).fetchone()
        assert row == (made,)
        assert len(set(partitions(connection)) - before) == made


def test_purpose_and_justification_are_required(database):
    insert = (
        "INSERT INTO audit.access_logs (user_id, organization_id, action, channel, result, "
        "user_role, resource_type, purpose, emergency_override, justification) "
        "VALUES (%s, %s, 'view', 'api', 'success', 'nurse', 'patient', %s, %s, %s)"
    )
    with database.acting("haven_loader") as connection:
        for values in ((" ", False, None), ("care", True, None), ("care", True, " ")):
            with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                connection.execute(insert, (uuid.uuid4(), uuid.uuid4(), *values))


def strange_patient(sample):
    """Return a patient, and an organization that has nothing to do with it."""
    stranger = organizations(sample.seed)[-1]
    granted = {
        row["patient_id"]
        for row in sample.rows["patient_grants"]
        if row["organization_id"] == stranger
    }
    accessible = {
        row["patient_id"] for row in sample.rows["health_records"] if row["emergency_accessible"]
    }
    patient = next(
        row
        for row in sample.rows["patients"]
        if row["managing_organization"] != stranger and row["id"] in accessible - granted
    )
    return patient["id"], stranger


def test_emergency_access_returns_a_stranger_and_logs_it(database, sample):
    patient, organization = strange_patient(sample)
    user, reason = str(uuid.uuid4()), f"Unconscious on arrival {uuid.uuid4()}"
    settings = {"organization_id": str(organization), "user_id": user}
    with database.acting("haven_app_a", **settings) as connection:
        rows = connection.execute(EMERGENCY, (patient, reason)).fetchall()
        connection.commit()
    with database.acting("haven_auditor") as connection:
        logged = connection.execute(
            "SELECT patient_id, user_id::text, organization_id, action, emergency_override, "
            "result FROM audit.access_logs WHERE justification = %s",
            (reason,),
        ).fetchall()
    assert [row[0] for row in rows] == [patient]
    assert len(rows[0][1]) == sum(
        row["patient_id"] == patient and row["emergency_accessible"]
        for row in sample.rows["health_records"]
    )
    assert logged == [(patient, user, organization, "emergency", True, "success")]


def test_emergency_access_to_nobody_is_logged_too(database):
    settings = {"organization_id": str(uuid.uuid4()), "user_id": str(uuid.uuid4())}
    reason = f"No such patient {uuid.uuid4()}"
    with database.acting("haven_app_a", **settings) as connection:
        assert connection.execute(EMERGENCY, (uuid.uuid4(), reason)).fetchall() == []
        connection.commit()
    with database.acting("haven_auditor") as connection:
        assert connection.execute(
            "SELECT result FROM audit.access_logs WHERE justification = %s", (reason,)
        ).fetchall() == [("denied",)]


@pytest.mark.parametrize("role", ["haven_auditor", "haven_reader", "haven_migrator"])
def test_others_have_no_emergency_access(database, role):
    with (
        database.acting(role) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(EMERGENCY, (uuid.uuid4(), "Unconscious on arrival"))


@pytest.mark.parametrize(
    ("settings", "reason", "refusal"),
    [
        ({}, "Unconscious on arrival", psycopg.errors.InsufficientPrivilege),
        ({"user_id": "u"}, "short", psycopg.errors.InvalidParameterValue),
        ({"user_id": "u"}, None, psycopg.errors.InvalidParameterValue),
    ],
    ids=["nobody", "short", "none"],
)
def test_emergency_access_needs_a_person_and_a_reason(database, settings, reason, refusal):
    given = {name: str(uuid.uuid4()) for name in (*settings, "organization_id")}
    with database.acting("haven_app_a", **given) as connection, pytest.raises(refusal):
        connection.execute(EMERGENCY, (uuid.uuid4(), reason))


OPERATIONS = """
SELECT user_role, resource_type, action, resource_details ->> 'login' FROM audit.access_logs
WHERE purpose = 'operation across organizations'
"""


@pytest.mark.usefixtures("sample")
def test_what_the_loader_did_is_logged(database):
    with database.acting("haven_auditor") as connection:
        logged = set(connection.execute(OPERATIONS).fetchall())
    tables = {"patients", "patient_grants", "health_records", "verifications", "sync_queue"}
    assert {("haven_loader", table, "create", "haven_migrator") for table in tables} <= logged


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(
    "table", ["patients", "patient_grants", "health_records", "verifications", "sync_queue"]
)
def test_a_backfill_is_logged_in_its_own_transaction(database, table):
    logged = f"{OPERATIONS} AND accessed_at = now()"
    with database.acting("haven_backfill") as connection:
        connection.execute(f"UPDATE haven_health.{table} SET updated_at = now() WHERE false")  # noqa: S608  # the rows above
        connection.execute("SET LOCAL ROLE haven_loader")
        rows = connection.execute(logged).fetchall()
    assert rows == [("haven_backfill", table, "update", "haven_migrator")]


@pytest.mark.usefixtures("sample")
def test_a_backfill_writes_no_other_row_of_the_log(database):
    insert = (
        "INSERT INTO audit.access_logs (user_id, organization_id, action, channel, result, "
        "user_role, resource_type, purpose) VALUES (%s, %s, 'view', 'api', 'success', "
        "'nurse', 'patient', 'care')"
    )
    with (
        database.acting("haven_backfill") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(insert, (uuid.uuid4(), uuid.uuid4()))


def test_applications_leave_no_row_of_an_operation(database, sample):
    organization = str(organizations(sample.seed)[0])
    logged = f"SELECT count(*) FROM ({OPERATIONS}) AS rows"  # noqa: S608  # a constant
    with database.acting("haven_auditor") as connection:
        before = connection.execute(logged).fetchone()
    with database.acting("haven_app_a", organization_id=organization) as connection:
        changed = connection.execute("UPDATE haven_health.patients SET last_updated_by = NULL")
        assert changed.rowcount > 0
        connection.commit()
    with database.acting("haven_auditor") as connection:
        assert connection.execute(logged).fetchone() == before
