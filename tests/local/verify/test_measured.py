"""RPO and RTO in reports, held against a writer's own log, which the flow never sees."""

import contextlib
import itertools
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import psycopg
import pytest

from flows.endpoints import writer_login
from flows.verification_models import VerifyParameters
from flows.verify_backup import verify_backup
from haven.pg import session
from haven.verification.choice import Kind
from haven.verification.verdict import Verdict
from tasks.heartbeat import write_beat
from tests.local.provision.conftest import Place
from tests.local.verify.test_verify_backup import hand_over, stack

__all__ = ["stack"]

pytestmark = pytest.mark.local

APART_S = 1.0
PAUSE_S = 0.05
TABLE = """
SET ROLE haven_owner;
CREATE TABLE IF NOT EXISTS haven_health.acknowledged (id bigint PRIMARY KEY, at timestamptz NOT NULL);
GRANT SELECT ON haven_health.acknowledged TO haven_reader;
"""


@dataclass(slots=True)
class Writer:
    """Writes a row and a beat again and again, and notes when each was acknowledged."""

    stack: Place
    log: dict[int, datetime] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        login = writer_login(self.stack.run(), None, "haven_migrator")
        prefix = self.stack.stack.prefix
        with session(login) as connection:
            connection.execute("SET ROLE haven_owner")
            for number in itertools.count(1):
                if self.stop.wait(PAUSE_S):
                    return
                connection.execute(
                    "INSERT INTO haven_health.acknowledged VALUES (%s, clock_timestamp())",
                    (number,),
                )
                self.log[number] = datetime.now(UTC)
                write_beat(connection, prefix, instance="db-TESTS", who="a test")


@contextlib.contextmanager
def writing(stack):
    with session(writer_login(stack.run(), None, "haven_migrator")) as connection:
        connection.execute(TABLE)
        connection.execute("TRUNCATE haven_health.acknowledged")
    writer = Writer(stack)
    thread = threading.Thread(target=writer.work)
    thread.start()
    try:
        yield writer
    finally:
        writer.stop.set()
        thread.join()


def verified(stack, **parameters):
    """Verify, keep the copy, and return the report and how long each phase took, by its message."""
    heard = []

    def progress(message):
        heard.append((time.monotonic(), message))
        if "waiting until" in message:
            threading.Thread(target=hand_over, args=(stack,)).start()

    run = stack.run()
    run = replace(run, progress=progress)
    report = verify_backup(run, VerifyParameters(keep_hours=1, **parameters))
    spans = {one[1]: after[0] - one[0] for one, after in itertools.pairwise(heard)}
    return report, spans


def rows_of(stack, cloud, name):
    """Return the numbers of the rows that a copy has, read past every right, and remove the copy."""
    rds = stack.client("rds")
    item = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    sockets = cloud.data / "clusters" / item["DbiResourceId"] / "s"
    with psycopg.connect(
        host=str(sockets), user="rdsadmin", dbname="haven_health_db", sslmode="disable"
    ) as connection:
        found = connection.execute("SELECT id FROM haven_health.acknowledged").fetchall()
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    return {number for (number,) in found}


def test_a_restored_moment_agrees_with_the_log_of_a_writer(stack, cloud):
    with writing(stack) as writer:
        verified(stack)
        moment = datetime.now(UTC)
        hand_over(stack)
    report, spans = verified(stack, kind=Kind.TIME, moment=moment)
    assert report.verdict is Verdict.VERIFIED, report.checks
    rows = rows_of(stack, cloud, report.kept)
    known = {number for number, at in writer.log.items() if at <= moment}
    # One may have been committed and not yet acknowledged.
    assert rows in (known, known | {max(known) + 1})
    measured = (moment - writer.log[max(known)]).total_seconds()
    assert report.rpo_seconds == pytest.approx(max(measured, 0.0), abs=APART_S)
    took = next(span for message, span in spans.items() if message.startswith("restoring to"))
    assert report.rto_seconds == pytest.approx(took, abs=APART_S)


def test_the_latest_moment_lacks_what_was_not_handed_over_and_no_more(stack, cloud):
    with writing(stack) as writer:
        report, _ = verified(stack)
    assert report.verdict is Verdict.VERIFIED, report.checks
    rows = rows_of(stack, cloud, report.kept)
    assert rows == set(range(1, max(rows) + 1))
    known = {number for number, at in writer.log.items() if at <= report.restored_to}
    assert abs(len(rows) - len(known)) <= 1
