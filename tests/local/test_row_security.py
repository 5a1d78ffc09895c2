"""Who sees and changes whose rows, by real logins; sample data is loaded once."""

import itertools
import uuid

import psycopg
import pytest

from haven.sample_data.people import organizations
from tasks.sample_data import load_sample_data

pytestmark = pytest.mark.local

OF_PATIENTS = ("patients", "health_records", "verifications")
IDS = {
    "patients": "SELECT id FROM haven_health.patients",
    "health_records": "SELECT patient_id FROM haven_health.health_records",
    "verifications": "SELECT patient_id FROM haven_health.verifications",
}
COUNTS = {
    "patients": "SELECT count(*) FROM haven_health.patients",
    "patient_grants": "SELECT count(*) FROM haven_health.patient_grants",
    "health_records": "SELECT count(*) FROM haven_health.health_records",
    "verifications": "SELECT count(*) FROM haven_health.verifications",
    "sync_queue": "SELECT count(*) FROM haven_health.sync_queue",
    "access_logs": "SELECT count(*) FROM audit.access_logs",
}
CHANGE = "UPDATE haven_health.health_records SET title = 'Changed' WHERE patient_id = %s"


def patients_of(sample, organization):
    managed = {
        row["id"] for row in sample.rows["patients"] if row["managing_organization"] == organization
    }
    granted = {
        row["patient_id"]
        for row in sample.rows["patient_grants"]
        if row["organization_id"] == organization
    }
    return managed, granted


def a_grant(sample, *, can_write):
    with_records = {row["patient_id"] for row in sample.rows["health_records"]}
    return next(
        row
        for row in sample.rows["patient_grants"]
        if row["can_write"] is can_write and row["patient_id"] in with_records
    )


def ids(connection, table):
    return {row[0] for row in connection.execute(IDS[table])}


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("table", ["patients", "patient_grants", "health_records", "sync_queue"])
def test_without_a_setting_an_application_sees_nothing(database, table):
    with database.acting("haven_app_a") as connection:
        assert connection.execute(COUNTS[table]).fetchone() == (0,)


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("table", [name for name in COUNTS if name != "access_logs"])
def test_the_owner_sees_nothing(database, table):
    with database.acting("haven_owner") as connection:
        assert connection.execute(COUNTS[table]).fetchone() == (0,)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("table", OF_PATIENTS)
def test_an_organization_sees_whom_it_manages_or_was_granted(database, sample, number, table):
    organization = organizations(sample.seed)[number]
    managed, granted = patients_of(sample, organization)
    column = "id" if table == "patients" else "patient_id"
    expected = {row[column] for row in sample.rows[table]} & (managed | granted)
    with database.acting("haven_app_b", organization_id=str(organization)) as connection:
        seen = ids(connection, table)
    assert managed
    assert granted
    assert seen == expected


def test_a_stranger_sees_nothing(database, sample):
    assert sample.rows["patients"]
    with database.acting("haven_app_a", organization_id=str(uuid.uuid4())) as connection:
        assert ids(connection, "patients") == set()


@pytest.mark.parametrize(
    "end", ["revoked_at = now()", "expires_at = granted_at + interval '1 second'"]
)
def test_a_grant_that_ended_shows_nothing(database, sample, end):
    grant = a_grant(sample, can_write=True)
    giver, receiver = str(grant["granted_by_organization"]), str(grant["organization_id"])
    with database.acting("haven_app_a", organization_id=giver) as connection:
        connection.execute(
            f"UPDATE haven_health.patient_grants SET {end} WHERE patient_id = %s",  # noqa: S608  # the rows above
            (grant["patient_id"],),
        )
        connection.execute("SELECT set_config('haven.organization_id', %s, true)", (receiver,))
        assert grant["patient_id"] not in ids(connection, "patients")


@pytest.mark.parametrize(("can_write", "changed"), [(True, True), (False, False)])
def test_only_a_writing_grant_may_change(database, sample, can_write, changed):
    grant = a_grant(sample, can_write=can_write)
    receiver = str(grant["organization_id"])
    with database.acting("haven_app_a", organization_id=receiver) as connection:
        count = connection.execute(CHANGE, (grant["patient_id"],)).rowcount
    assert (count > 0) is changed


def test_a_writing_grant_is_no_takeover(database, sample):
    grant = a_grant(sample, can_write=True)
    receiver = str(grant["organization_id"])
    with (
        database.acting("haven_app_a", organization_id=receiver) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(
            "UPDATE haven_health.patients SET managing_organization = %s WHERE id = %s",
            (receiver, grant["patient_id"]),
        )


def test_nobody_grants_itself_a_patient_it_does_not_manage(database, sample):
    patient = sample.rows["patients"][0]
    other = str(uuid.uuid4())
    with (
        database.acting("haven_app_a", organization_id=other) as connection,
        pytest.raises(psycopg.errors.ForeignKeyViolation),
    ):
        connection.execute(
            "INSERT INTO haven_health.patient_grants (patient_id, organization_id, granted_by, "
            "granted_by_organization, purpose) VALUES (%s, %s, %s, %s, 'none')",
            (patient["id"], uuid.uuid4(), uuid.uuid4(), other),
        )


def test_an_application_logs_only_in_its_own_name(database, sample):
    organization, stranger = organizations(sample.seed)[:2]
    user = str(uuid.uuid4())
    insert = (
        "INSERT INTO audit.access_logs (user_id, organization_id, action, channel, result, "
        "user_role, resource_type, purpose) "
        "VALUES (%s, %s, 'view', 'api', 'success', 'nurse', 'patient', 'care')"
    )
    settings = {"organization_id": str(organization), "user_id": user}
    with database.acting("haven_app_a", **settings) as connection:
        assert connection.execute(insert, (user, organization)).rowcount == 1
        for values in itertools.product((user, str(uuid.uuid4())), (stranger,)):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                connection.transaction(),
            ):
                connection.execute(insert, values)


@pytest.mark.parametrize("table", COUNTS)
def test_the_reader_sees_everything(database, sample, table):
    with database.acting("haven_reader") as connection:
        count = connection.execute(COUNTS[table]).fetchone()[0]
    assert count >= len(sample.rows[table]) > 0


def test_the_auditor_sees_the_log_and_nothing_else(database, sample):
    with database.acting("haven_auditor") as connection:
        assert connection.execute(COUNTS["access_logs"]).fetchone()[0] >= len(
            sample.rows["access_logs"]
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(COUNTS["patients"])


def test_the_same_sample_set_is_loaded_once(database, sample):
    patients = len(sample.rows["patients"])
    with database.acting("haven_auditor") as connection:
        before = connection.execute(COUNTS["access_logs"]).fetchone()
        login = database.login("haven_migrator")
        again = load_sample_data(login, patients=patients, seed=sample.seed)
        # Not even the row that a statement of the loader leaves.
        assert connection.execute(COUNTS["access_logs"]).fetchone() == before
    assert set(again.values()) == {0}


def test_a_patient_with_records_is_not_deleted(database, sample):
    grant = a_grant(sample, can_write=True)
    with (
        database.acting("haven_backfill") as connection,
        pytest.raises(psycopg.errors.ForeignKeyViolation),
    ):
        # Another key would orphan the records as well; nobody but the owner may delete.
        connection.execute(
            "UPDATE haven_health.patients SET id = gen_random_uuid() WHERE id = %s",
            (grant["patient_id"],),
        )
