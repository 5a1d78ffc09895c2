"""What each role may do to each table, by real logins; comments; indexes."""

import json

import psycopg
import pytest
from psycopg import sql

from haven.pg import session
from haven.stack.database import LOGINS, ROLES, database_changes
from tasks.bootstrap import apply_database, observe_database, set_password
from tests.local.conftest import MASTER, ROOT, password_of

pytestmark = pytest.mark.local

TABLES = (
    "haven_health.patients",
    "haven_health.patient_grants",
    "haven_health.health_records",
    "haven_health.verifications",
    "haven_health.sync_queue",
    "audit.access_logs",
    "haven_ops.heartbeat",
)
# A column that every statement of the matrix can name.
COLUMN = {
    "haven_health.patient_grants": "purpose",
    "haven_health.sync_queue": "error_message",
    "audit.access_logs": "purpose",
    "haven_ops.heartbeat": "who",
}
COMMANDS = {
    "S": "SELECT count(*) FROM {table}",
    "I": "INSERT INTO {table} ({column}) SELECT NULL WHERE false",
    "U": "UPDATE {table} SET {column} = NULL WHERE false",
    "D": "DELETE FROM {table} WHERE false",
    "T": "TRUNCATE {table} CASCADE",
}
# Select, Insert, Update, Delete, Truncate: what each role may do to each table, in TABLES' order.
# The owner may, by privilege, but forced row-level security shows it no row; the log refuses it.
MATRIX = {
    "haven_app_a": ("SIU", "SIU", "SIU", "SIU", "SIUD", "I", ""),
    "haven_app_b": ("SIU", "SIU", "SIU", "SIU", "SIUD", "I", ""),
    "clinic_ro": ("S", "S", "S", "S", "S", "", ""),
    "haven_reader": ("S", "S", "S", "S", "S", "S", "S"),
    "haven_auditor": ("", "", "", "", "", "S", "S"),
    "haven_migrator": ("", "", "", "", "", "", "SIU"),
    "haven_admin": ("", "", "", "", "", "", ""),
    "haven_loader": ("SI", "SI", "SI", "SI", "SI", "SI", ""),
    "haven_backfill": ("SU", "SU", "SU", "SU", "SUD", "I", ""),
    "haven_emergency": ("S", "", "S", "", "", "I", ""),
    "haven_owner": ("SIUDT", "SIUDT", "SIUDT", "SIUDT", "SIUDT", "SI", "SIUDT"),
}


@pytest.fixture(scope="module")
def clinic_ro(database):
    """A login of the read-only group: provision makes none of its own."""
    with session(database.login(MASTER)) as connection:
        connection.execute("CREATE ROLE clinic_ro LOGIN IN ROLE haven_app_ro")
        connection.execute("GRANT CONNECT ON DATABASE haven_health_db TO clinic_ro")
        set_password(connection, "clinic_ro", password_of("clinic_ro"))


def allowed(connection, command, table):
    statement = sql.SQL(COMMANDS[command]).format(
        table=sql.Identifier(*table.split(".")),
        column=sql.Identifier(COLUMN.get(table, "deleted_at")),
    )
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.usefixtures("clinic_ro")
@pytest.mark.parametrize("role", MATRIX)
def test_each_role_may_do_exactly_what_the_matrix_says(database, role):
    with database.acting(role) as connection:
        found = tuple(
            "".join(command for command in COMMANDS if allowed(connection, command, table))
            for table in TABLES
        )
    assert found == MATRIX[role]


def test_the_matrix_has_every_role_that_can_be_assumed():
    groups = {"haven_app_rw", "haven_app_ro"}
    assert {role.name for role in ROLES} - groups <= set(MATRIX)


def test_a_second_bootstrap_finds_nothing_to_do(database):
    with session(database.login(MASTER)) as connection:
        assert database_changes(observe_database(connection)) == ()


DRIFTS = (
    ("ALTER ROLE haven_app_a SET lock_timeout = '9s'", "setting lock_timeout"),
    ("ALTER ROLE haven_app_a SET work_mem = '1GB'", "setting work_mem"),
    ("ALTER ROLE haven_reader RESET search_path", "setting search_path"),
    ("ALTER ROLE haven_owner LOGIN", "LOGIN"),
    ("ALTER ROLE haven_reader CREATEROLE", "CREATEROLE"),
    ("GRANT haven_reader TO haven_app_b", "member of haven_reader"),
    ("REVOKE haven_owner FROM haven_migrator", "member of haven_owner"),
    ("GRANT CONNECT ON DATABASE haven_health_db TO PUBLIC", "CONNECT to PUBLIC"),
    ("REVOKE CONNECT ON DATABASE haven_health_db FROM haven_reader", "CONNECT to haven_reader"),
    ("GRANT CREATE ON SCHEMA public TO haven_app_rw", "CREATE to haven_app_rw"),
    ("DROP EXTENSION pg_trgm", "present"),
)


@pytest.mark.parametrize(("drift", "attribute"), DRIFTS, ids=[row[0] for row in DRIFTS])
def test_a_drift_is_found_and_put_right(database, drift, attribute):
    with session(database.login(MASTER)) as connection:
        connection.execute(drift)
        changes = database_changes(observe_database(connection))
        apply_database(connection, changes, password_of)
        assert attribute in [change.attribute for change in changes]
        assert database_changes(observe_database(connection)) == ()


@pytest.mark.parametrize("schema", ["haven_ops", "audit"])
def test_unqualified_names_of_a_migration_land_beside_nothing_of_ours(database, schema):
    with database.acting("haven_migrator") as connection:
        path = connection.execute("SELECT current_schemas(false)").fetchone()[0]
    assert schema not in path


@pytest.mark.parametrize("role", LOGINS)
def test_every_login_works_with_its_first_password(database, role):
    with session(database.login(role)) as connection:
        assert connection.execute("SELECT session_user").fetchone() == (role,)


def test_the_first_file_says_what_the_bootstrap_lacks(bootstrapped):
    first = (ROOT / "schema" / "01_initial_schema.sql").read_bytes()
    connection = psycopg.connect(
        host=bootstrapped.host,
        dbname="postgres",
        user=MASTER,
        password=password_of(MASTER),
        sslmode="verify-full",
        sslrootcert=str(bootstrapped.ca_bundle),
    )
    with connection, pytest.raises(psycopg.errors.RaiseException) as refused:
        connection.execute(first)
    assert "extension pg_trgm, extension pgcrypto. Run provision first" in str(refused.value)
    connection.close()


UNCOMMENTED = """
SELECT c.oid::regclass || coalesce('.' || a.attname, '')
FROM pg_class AS c
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace IN (
        'haven_health'::regnamespace, 'audit'::regnamespace, 'haven_ops'::regnamespace)
    AND c.relkind IN ('r', 'p')
    AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
UNION ALL
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace IN ('haven_health'::regnamespace, 'audit'::regnamespace)
    AND obj_description(oid, 'pg_proc') IS NULL
UNION ALL
SELECT oid::regtype::text FROM pg_type
WHERE typnamespace IN ('haven_health'::regnamespace, 'audit'::regnamespace) AND typtype = 'e'
    AND obj_description(oid, 'pg_type') IS NULL
UNION ALL
SELECT nspname FROM pg_namespace
WHERE nspname IN ('haven_health', 'audit', 'haven_ops')
    AND obj_description(oid, 'pg_namespace') IS NULL
"""


def test_everything_has_a_comment(database):
    with session(database.login("haven_migrator")) as connection:
        assert connection.execute(UNCOMMENTED).fetchall() == []


def test_public_may_do_nothing(database):
    query = """
    SELECT p.oid::regprocedure::text FROM pg_proc AS p
    WHERE p.pronamespace IN ('haven_health'::regnamespace, 'audit'::regnamespace)
        AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                    WHERE a.grantee = 0)
    UNION ALL
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relnamespace IN (
            'haven_health'::regnamespace, 'audit'::regnamespace, 'haven_ops'::regnamespace)
        AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0)
    """
    with session(database.login("haven_migrator")) as connection:
        assert connection.execute(query).fetchall() == []


def test_every_table_has_forced_row_level_security(database):
    query = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace IN ('haven_health'::regnamespace, 'audit'::regnamespace)
        AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)
    """
    with session(database.login("haven_migrator")) as connection:
        assert connection.execute(query).fetchall() == []


NEWEST_FIRST = """
EXPLAIN (FORMAT JSON) SELECT id, title FROM haven_health.health_records
WHERE patient_id = %(patient)s AND deleted_at IS NULL ORDER BY record_date DESC LIMIT 20
"""
CLAIM = """
EXPLAIN (FORMAT JSON) SELECT id FROM haven_health.sync_queue
WHERE organization_id = %(organization)s AND status = 'pending' AND next_retry_at <= now()
ORDER BY priority, created_at LIMIT 100 FOR UPDATE SKIP LOCKED
"""
BY_NAME = """
EXPLAIN (FORMAT JSON) SELECT id FROM haven_health.patients
WHERE managing_organization = %(organization)s AND search_name ^@ 'zaqo' AND deleted_at IS NULL
"""


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (NEWEST_FIRST, "health_records_patient_newest_idx"),
        (CLAIM, "sync_queue_claim_idx"),
        (BY_NAME, "patients_organization_name_idx"),
    ],
    ids=["one patient's newest", "claim", "name by prefix"],
)
def test_the_stated_reads_use_their_index_under_row_level_security(database, sample, query, index):
    patient = sample.rows["patients"][0]
    organization = patient["managing_organization"]
    with database.acting("haven_app_a", organization_id=str(organization)) as connection:
        # So few rows fit on few pages: the planner must not be tempted by that.
        connection.execute("SET LOCAL enable_seqscan = off")
        connection.execute("SET LOCAL enable_bitmapscan = off")
        plan = connection.execute(
            query, {"patient": patient["id"], "organization": organization}
        ).fetchone()[0]
    nodes = list(walk(plan[0]["Plan"]))
    scan = next(node for node in nodes if node.get("Index Name") == index)
    assert "Index Cond" in scan
    assert "Sort" not in [node["Node Type"] for node in nodes], json.dumps(plan)


def walk(node):
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)
