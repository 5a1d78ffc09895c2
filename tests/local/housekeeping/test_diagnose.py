"""Harm done to a real server, each sort of it found, with a cure that cures it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from flows import chores
from flows.diagnose import DiagnoseParameters, DiagnoseReport, diagnose
from haven.diagnosis.findings import Limits, Trouble
from haven.errors import Failed
from haven.pg import open_connection
from tests.local.provision.beating import as_master, resource_id, until
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

# So small that a test's harm is told, and nothing of the stack itself.
SMALL = Limits(
    bloat_bytes=1024**2,
    dead_rows=1_000,
    unused_bytes=64 * 1024,
    unused_for=timedelta(0),
    slot_bytes=1024**2,
    idle_for=timedelta(milliseconds=1),
    long_for=timedelta(milliseconds=1),
    certificate_within=timedelta(days=30),
)


@pytest.fixture(scope="module")
def harmed(kept: Place, cloud: Any) -> Iterator[Callable[[str], None]]:
    """Do harm as the server's own superuser; what was made goes with the module."""
    sockets = cloud.data / "clusters" / resource_id(kept) / "s"
    with psycopg.connect(
        host=str(sockets),
        user="rdsadmin",
        dbname="haven_health_db",
        sslmode="disable",
        autocommit=True,
    ) as connection:
        connection.execute("CREATE SCHEMA harmed AUTHORIZATION haven_owner")

        def harm(statement: str) -> None:
            for part in statement.split(";\n"):
                connection.execute(part.encode())
            # Statistics of a session that idles come ten seconds later otherwise.
            connection.execute("SELECT pg_stat_force_next_flush()")
            connection.execute("SELECT 1")

        yield harm
        connection.execute("DROP SCHEMA harmed CASCADE")


def look(place: Place, limits: Limits = SMALL, **parameters: Any) -> DiagnoseReport:
    run = place.run()
    report = diagnose(run, DiagnoseParameters(**parameters), limits)
    assert (run.journal.writes, report.steps, report.evidence) == (0, [], "")
    return report


def told(report: DiagnoseReport, trouble: Trouble) -> dict[str, str]:
    return {one.subject: one.cure for one in report.findings if one.trouble is trouble}


def test_a_sound_stack_is_told_to_be_sound(kept: Place) -> None:
    report = look(kept, Limits())
    assert report.findings == []
    assert report.warnings == []
    assert report.statements
    assert sum(one.share for one in report.statements) <= 1.0001


def cure(harmed: Callable[[str], None], command: str, gone: Callable[[], bool]) -> None:
    """Run a command until it has cured: rows that a replica showed somebody are held for seconds."""

    def tried() -> bool:
        harmed(command)
        return gone()

    until(tried)


def test_dead_rows_and_bloat(kept: Place, harmed: Callable[[str], None]) -> None:
    harmed(
        "CREATE TABLE harmed.emptied AS SELECT n, repeat('x', 100) AS t FROM generate_series(1, 30000) n;\n"
        "ALTER TABLE harmed.emptied SET (autovacuum_enabled = off);\n"
        "CREATE INDEX emptied_n ON harmed.emptied (n);\n"
        "ANALYZE harmed.emptied;\n"
        "DELETE FROM harmed.emptied WHERE n > 1000"
    )
    dead = until(lambda: told(look(kept), Trouble.DEAD_ROWS))
    assert list(dead) == ["harmed.emptied"]
    vacuum = dead["harmed.emptied"].partition(";")[0]

    def wasted() -> dict[str, str]:
        return told(look(kept, replace(SMALL, bloat_bytes=200 * 1024)), Trouble.BLOAT)

    cure(harmed, vacuum, lambda: "harmed.emptied_n" in wasted())
    assert told(look(kept), Trouble.DEAD_ROWS) == {}
    reindex = wasted()["harmed.emptied_n"]
    assert reindex == "REINDEX INDEX CONCURRENTLY harmed.emptied_n"
    harmed(reindex)
    assert "harmed.emptied_n" not in wasted()


def test_old_rows(kept: Place, harmed: Callable[[str], None]) -> None:
    harmed("CREATE TABLE harmed.old (id int);\nINSERT INTO harmed.old VALUES (1)")
    for number in range(40):
        harmed(f"INSERT INTO harmed.old VALUES ({number})")  # noqa: S608  # a number of ours

    def old() -> dict[str, str]:
        return told(look(kept, replace(SMALL, age=30)), Trouble.WRAPAROUND)

    cure(harmed, old()["harmed.old"], lambda: "harmed.old" not in old())


def test_indexes_that_nobody_uses_or_that_are_there_twice(
    kept: Place, harmed: Callable[[str], None]
) -> None:
    harmed(
        "CREATE TABLE harmed.listed (id int PRIMARY KEY, n int, t text);\n"
        "INSERT INTO harmed.listed SELECT n, n, 'x' FROM generate_series(1, 20000) n;\n"
        "CREATE INDEX listed_n ON harmed.listed (n);\n"
        "CREATE INDEX listed_n_again ON harmed.listed (n);\n"
        "CREATE INDEX listed_n_falling ON harmed.listed (n DESC);\n"
        "CREATE INDEX listed_id ON harmed.listed (id)"
    )
    report = until(lambda: _when(look(kept), "harmed.listed_n"))
    twice = told(report, Trouble.DUPLICATE_INDEX)
    assert list(twice) == ["harmed.listed_id", "harmed.listed_n_again"]
    assert "harmed.listed_pkey" not in told(report, Trouble.UNUSED_INDEX)
    harmed(twice["harmed.listed_id"].partition(": ")[2].rstrip(";"))
    harmed(
        "SET enable_seqscan = off;\nSELECT t FROM harmed.listed WHERE n = 7;\nRESET enable_seqscan"
    )
    until(lambda: used(kept) is not None)


def _when(report: DiagnoseReport, index: str) -> DiagnoseReport | None:
    return report if index in told(report, Trouble.UNUSED_INDEX) else None


def used(place: Place) -> DiagnoseReport | None:
    """Return a report that tells less than three of the four indexes on n as unused."""
    report = look(place)
    unused = [name for name in told(report, Trouble.UNUSED_INDEX) if "listed_n" in name]
    return report if len(unused) == 2 else None


def test_a_sequence_near_the_end_of_its_column(kept: Place, harmed: Callable[[str], None]) -> None:
    harmed(
        "SET ROLE haven_owner;\n"
        "CREATE TABLE harmed.numbered (id int GENERATED ALWAYS AS IDENTITY, n smallint);\n"
        "CREATE SEQUENCE harmed.small OWNED BY harmed.numbered.n;\n"
        "SELECT setval('harmed.small', 30000), setval('harmed.numbered_id_seq', 100);\n"
        "RESET ROLE"
    )
    report = look(kept)
    (found,) = [one for one in report.findings if one.trouble is Trouble.SEQUENCE]
    assert (found.subject, found.urgent) == ("harmed.small", True)
    assert "30,000 of 32,767" in found.text
    with pytest.raises(Failed, match=r"harmed\.small: it is at 30,000"):
        look(kept, fail_when_urgent=True)
    harmed("DROP SEQUENCE harmed.small")


def test_a_slot_that_nobody_reads(kept: Place, harmed: Callable[[str], None]) -> None:
    harmed(
        "SELECT pg_create_physical_replication_slot('left_over', true);\n"
        "CREATE TABLE harmed.written AS SELECT repeat('x', 100) FROM generate_series(1, 20000)"
    )
    cures = told(look(kept), Trouble.SLOT)
    assert list(cures) == ["left_over"]
    harmed(cures["left_over"].rpartition(": ")[2].rstrip(";"))
    assert told(look(kept), Trouble.SLOT) == {}


def test_connections_and_open_transactions(kept: Place) -> None:
    run = kept.run()
    from flows.endpoints import writer_login  # noqa: PLC0415  # used here alone

    login = replace(writer_login(run, None, "haven_reader"), application="a clinic")
    with contextlib.closing(open_connection(login, autocommit=False)) as idle:
        idle.execute("SELECT 1")
        report = until(lambda: _idle(look(kept)))
        (end,) = told(report, Trouble.IDLE_TRANSACTION).values()
        as_master(kept, end)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    crowded = look(kept, replace(SMALL, connections_share=0.01))
    assert list(told(crowded, Trouble.CONNECTIONS)) == ["max_connections"]


def _idle(report: DiagnoseReport) -> DiagnoseReport | None:
    return report if told(report, Trouble.IDLE_TRANSACTION) else None


def test_certificates_and_storage(kept: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cloudwatch = kept.client("cloudwatch")
    now = datetime.now(UTC)
    for hours in range(24):
        cloudwatch.put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": "FreeStorageSpace",
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": kept.primary}],
                    "Timestamp": now - timedelta(hours=hours),
                    "Value": (1 + hours / 4) * 1024**3,
                    "Unit": "Bytes",
                }
            ],
        )
    assert told(look(kept), Trouble.STORAGE) == {}
    rds = kept.client("rds")
    rds.modify_db_instance(
        DBInstanceIdentifier=kept.primary, MaxAllocatedStorage=22, ApplyImmediately=True
    )
    report = look(kept)
    (found,) = [one for one in report.findings if one.trouble is Trouble.STORAGE]
    assert (found.subject, found.urgent) == (kept.primary, True)
    assert "reach autoscaling's ceiling of 22 GiB" in found.text
    kept.provision()
    assert told(look(kept), Trouble.STORAGE) == {}
    monkeypatch.setattr(chores, "now", lambda: now + timedelta(days=360))
    assert kept.primary in told(look(kept), Trouble.CERTIFICATE)


def test_statements_show_nothing_that_they_hold(kept: Place) -> None:
    as_master(kept, "SELECT 'Amina', 20260601")
    report = look(kept)
    texts = [one.text for one in report.statements]
    assert not [text for text in texts if "Amina" in text or "PASSWORD" in text.upper()]
