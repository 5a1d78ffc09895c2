"""The access log's months and the sync queue on a real server, with guards taken away by hand."""

import uuid
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from haven.errors import Refused
from haven.pg import session
from haven.retention.access_log import Act, Log, Month, due
from haven.retention.proof import Proof
from haven.stack.housekeeping import Housekeeping
from tasks.fingerprints import read_relations, read_sum
from tasks.partitions import (
    detach_partition,
    drop_partition,
    guard_partition,
    make_partition,
    observe_log,
)
from tasks.sync_queue import observe_queue, sweep_queue

pytestmark = pytest.mark.local

OLD = Month(2018, 3)
RULES = Housekeeping()
ROW = (
    "INSERT INTO audit.access_logs (accessed_at, user_id, organization_id, action, channel, result, "
    "user_role, resource_type, purpose) VALUES (%s, %s, %s, 'view', 'api', 'success', 'nurse', "
    "'patient', 'care')"
)
ITEM = (
    "INSERT INTO haven_health.sync_queue (sync_id, organization_id, local_timestamp, record_id, "
    "action, device_id, record_type, payload, status, completed_at, last_attempt_at, created_at, "
    "next_retry_at, conflict_detected, updated_at) "
    "SELECT gen_random_uuid(), %s, now(), gen_random_uuid(), 'create', 'a device', 'patient', 'x', "
    "%s, CASE WHEN %s = 'completed' THEN now() - make_interval(days => %s) END, "
    "now() - make_interval(days => %s), now() - make_interval(days => %s), "
    "now() - make_interval(days => %s), %s = 'conflict', now() - make_interval(days => %s) "
    "FROM generate_series(1, %s)"
)


@pytest.fixture
def owner(database):
    """The migrator, and a month of 2018 with three rows, which is gone afterwards."""
    login = database.login("haven_migrator")
    make_partition(login, OLD)
    with session(login) as connection:
        connection.execute("SET ROLE haven_loader")
        for day in (1, 15, 31):
            connection.execute(
                ROW, (datetime(2018, 3, day, tzinfo=UTC), uuid.uuid4(), uuid.uuid4())
            )
    yield login
    with session(login) as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute(
            sql.SQL("DROP TABLE IF EXISTS audit.{}").format(sql.Identifier(OLD.name))
        )


def log(database) -> Log:
    return observe_log(database.login("haven_reader"))[0]


def old(database):
    return next((one for one in log(database).partitions if one.name == OLD.name), None)


def proof(database, **values):
    with session(database.login("haven_reader"), autocommit=False) as connection:
        connection.execute("SET LOCAL search_path = pg_catalog")
        relation = next(one for one in read_relations(connection) if one.name == OLD.name)
        held = read_sum(connection, relation).total
    return Proof(
        subject=f"audit.{OLD.name}",
        count=held.count,
        total=held.total,
        manifest="exports/1/manifest.json",
        manifest_sha256="ab",
        read_back=datetime(2026, 1, 1, tzinfo=UTC),
    ).model_copy(update=values)


def test_the_schema_leaves_nothing_due(database):
    found, now = observe_log(database.login("haven_reader"))
    assert due(found, {}, RULES, now) == []
    assert all(one.fits and one.attached and not one.missing for one in found.partitions)


def test_a_month_of_2018_is_due_to_be_detached(database, owner):
    found, now = observe_log(database.login("haven_reader"))
    assert [(one.act, one.month) for one in due(found, {}, RULES, now)] == [(Act.DETACH, OLD)]
    detach_partition(owner, OLD)
    detach_partition(owner, OLD)
    seen = old(database)
    assert (seen.attached, seen.pending, seen.missing, seen.bounds) == (False, False, (), None)
    assert due(log(database), {}, RULES, now) == []


def test_the_coming_months_are_made_with_their_guards(database):
    month = Month(2031, 7)
    owner = database.login("haven_migrator")
    make_partition(owner, month)
    make_partition(owner, month)
    made = next(one for one in log(database).partitions if one.name == month.name)
    assert made.bounds == (month.first, month.end)
    assert made.missing == ()
    with session(owner) as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute("DROP TABLE audit.access_logs_2031_07")


@pytest.mark.parametrize("detached", [False, True], ids=["attached", "detached"])
@pytest.mark.parametrize(
    ("harm", "missing"),
    [
        ("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", "row-level security for the owner"),
        ("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", "row-level security"),
        ("DROP POLICY across_read ON {}", "the policy across_read"),
        ("DROP TRIGGER refuse_change ON {}", "the trigger refuse_change"),
        ("ALTER TABLE {} DISABLE TRIGGER refuse_change_of_row", "the trigger refuse_change_of_row"),
    ],
    ids=str,
)
def test_a_guard_that_is_gone_is_seen_and_comes_back(database, owner, harm, missing, detached):
    if detached:
        detach_partition(owner, OLD)
    with session(owner) as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute(harm.format(f"audit.{OLD.name}"))
    assert missing in old(database).missing
    guard_partition(owner, OLD)
    assert old(database).missing == ()
    with session(owner) as connection:
        connection.execute("SET ROLE haven_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(f"TRUNCATE audit.{OLD.name}")


def test_a_detaching_that_was_cut_off_is_finished(database, owner):
    with session(database.login("haven_reader"), autocommit=False) as reading:
        reading.execute("SELECT count(*) FROM audit.access_logs")
        with session(owner) as connection:
            connection.execute("SET ROLE haven_owner; SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(
                    f"ALTER TABLE audit.access_logs DETACH PARTITION audit.{OLD.name} CONCURRENTLY"
                )
    assert old(database).pending
    found, now = observe_log(database.login("haven_reader"))
    assert [one.act for one in due(found, {}, RULES, now)] == [Act.FINISH]
    detach_partition(owner, OLD)
    assert (old(database).attached, old(database).pending) == (False, False)


def test_rows_go_only_on_proof_of_exactly_them(database, owner):
    reader, good = database.login("haven_reader"), proof(database)
    with pytest.raises(Refused, match="it is part of the access log still"):
        drop_partition(owner, reader, OLD, good)
    detach_partition(owner, OLD)
    for wrong in (None, proof(database, total=good.total + 1), proof(database, count=2)):
        with pytest.raises(Refused, match=r"is not dropped"):
            drop_partition(owner, reader, OLD, wrong)
    assert proof(database) == good
    assert drop_partition(owner, reader, OLD, good)
    assert old(database) is None
    assert not drop_partition(owner, reader, OLD, good)


def items(database, status, days, count):
    organization = uuid.uuid4()
    with session(database.login("haven_migrator")) as connection:
        connection.execute("SET ROLE haven_loader")
        given = (organization, status, status, days, days, days, days, status, days, count)
        connection.execute(ITEM, given)


def test_completed_items_go_in_batches_and_leave_rows_in_the_log(database):
    reader, migrator = database.login("haven_reader"), database.login("haven_migrator")
    sweep_queue(migrator, days=30, batch=100)
    first = observe_queue(reader, days=30, hours=24)
    for status, days, count in (
        ("completed", 40, 250),
        ("completed", 29, 5),
        ("pending", 40, 4),
        ("in_progress", 40, 3),
        ("conflict", 40, 2),
        ("failed", 40, 1),
    ):
        items(database, status, days, count)
    before = observe_queue(reader, days=30, hours=24)
    assert (first.due, before.due) == (0, 250)
    grown = {kind: count - first.stuck.get(kind, 0) for kind, count in before.stuck.items()}
    assert grown == {
        "claimed and never finished": 3,
        "waiting to be claimed": 4,
        "in conflict": 2,
        "failed for good": 1,
    }
    logged = deletions(database)
    assert sweep_queue(migrator, days=30, batch=100) == 250
    assert deletions(database) == logged + 3
    after = observe_queue(reader, days=30, hours=24)
    assert (after.due, after.stuck) == (0, before.stuck)
    assert sweep_queue(migrator, days=30, batch=100) == 0


def deletions(database):
    with session(database.login("haven_auditor")) as connection:
        row = connection.execute(
            "SELECT count(*) FROM audit.access_logs WHERE action = 'delete' "
            "AND user_role = 'haven_backfill' AND resource_type = 'sync_queue'"
        ).fetchone()
    return row[0] if row else 0


def test_what_is_not_completed_long_ago_cannot_be_deleted_at_all(database):
    items(database, "completed", 0, 1)
    items(database, "failed", 400, 1)
    with database.acting("haven_backfill") as connection:
        connection.execute("DELETE FROM haven_health.sync_queue")
        left = connection.execute(
            "SELECT count(*) FROM haven_health.sync_queue WHERE status = 'failed' "
            "OR completed_at > now() - interval '1 day'"
        ).fetchone()
    assert left is not None
    assert left[0] >= 2
