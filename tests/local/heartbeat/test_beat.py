"""The row that is the heartbeat: written and read on a real server, by who may."""

from dataclasses import replace

import pytest
from psycopg import sql

from haven.pg import session
from tasks.heartbeat import read_beat, write_beat
from tests.local.conftest import MASTER, ROOT

pytestmark = pytest.mark.local

STACK = "beats"
MANY = 2000
SCHEMA = ROOT / "schema" / "07_heartbeat.sql"


@pytest.fixture
def migrator(database):
    with session(database.login("haven_migrator")) as connection:
        yield connection
        connection.execute("SET ROLE haven_owner; DELETE FROM haven_ops.heartbeat")


def beat(connection, stack=STACK, instance="db-ONE"):
    return write_beat(connection, stack, instance=instance, who="a test")


def test_a_server_without_the_table_or_the_row_has_no_beat(migrator):
    assert read_beat(migrator, STACK) is None
    with migrator.transaction(force_rollback=True):
        migrator.execute("SET LOCAL ROLE haven_owner; DROP TABLE haven_ops.heartbeat; RESET ROLE")
        assert read_beat(migrator, STACK) is None


def test_each_beat_is_counted_and_dated_by_the_server(migrator):
    first, second = beat(migrator), beat(migrator, instance="db-TWO")
    assert (first.beats, first.epoch, first.instance) == (1, 1, "db-ONE")
    assert (second.beats, second.epoch, second.instance) == (2, 1, "db-TWO")
    assert second.beat_at > first.beat_at
    read = read_beat(migrator, STACK)
    assert read is not None
    assert (read.beat_at, read.beats, read.instance) == (second.beat_at, 2, "db-TWO")
    assert read.age_s > second.age_s >= 0


def test_a_beat_leaves_the_epoch_as_a_promotion_left_it(migrator):
    beat(migrator)
    migrator.execute("UPDATE haven_ops.heartbeat SET epoch = 7 WHERE stack = %s", (STACK,))
    assert beat(migrator).epoch == 7


def test_stacks_beat_apart(migrator):
    beat(migrator)
    beat(migrator)
    assert beat(migrator, stack="another").beats == 1


@pytest.mark.parametrize("role", ["haven_reader", "haven_auditor"])
def test_readers_see_it(database, migrator, role):
    beat(migrator)
    with session(database.login(role)) as connection:
        read = read_beat(connection, STACK)
    assert read is not None
    assert read.beats == 1


def test_many_beats_stay_on_few_pages(database):
    """In a database where nobody else has anything open, which would keep old rows in their places."""
    name = sql.Identifier("haven_beats")
    login = replace(database.login(MASTER), database="haven_beats")
    with session(database.login(MASTER)) as master:
        master.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            with session(login) as alone:
                alone.execute("CREATE SCHEMA haven_ops")
                alone.execute(SCHEMA.read_bytes())
                for _ in range(MANY):
                    beat(alone)
                query = "SELECT pg_relation_size('haven_ops.heartbeat')"
                [(size,)] = alone.execute(query).fetchall()
        finally:
            master.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    # Some sixty rows fit on a page.
    assert size <= 10 * 8192
