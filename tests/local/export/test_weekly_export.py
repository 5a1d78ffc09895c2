"""The whole operation on a stack: exported, read back, and known by its manifest."""

from datetime import UTC, datetime

import pytest
from psycopg import sql

from flows.endpoints import writer_login
from flows.export_models import ExportParameters
from flows.frame import open_run
from flows.load_export import load_export
from flows.weekly_export import weekly_export
from haven.errors import Conflict, HavenError
from haven.export.manifest import Variant
from haven.export.proof import ReadBack
from haven.pg import session
from haven.retention.access_log import month_at
from haven.settings import Settings
from tasks.partitions import drop_partition
from tasks.proofs import read_proofs
from tests.local.export.conftest import PATIENTS, read_export

pytestmark = pytest.mark.local


def test_a_dry_run_names_every_table_and_touches_nothing(stack):
    run = stack.run()
    report = weekly_export(run, ExportParameters(dry_run=True))
    assert "haven_health.patients" in [step.subject for step in report.steps]
    assert report.steps[-1].subject == "manifest"
    assert run.journal.writes == 0


@pytest.fixture(scope="module")
def detached(stack):
    """Take a month that is over out of the access log."""
    month = month_at(datetime.now(UTC)).after(-2)
    with session(owner_login(stack)) as connection:
        connection.execute("SET ROLE haven_owner")
        detach = sql.SQL("ALTER TABLE audit.access_logs DETACH PARTITION {}")
        connection.execute(detach.format(sql.Identifier("audit", month.name)))
    return month


def owner_login(stack):
    return writer_login(stack.run(), None, "haven_migrator")


@pytest.fixture(scope="module")
def report(stack, detached):
    assert detached
    wanted = ExportParameters(name="first", read_back=ReadBack.EVERYTHING)
    return weekly_export(stack.run(), wanted)


def test_an_export_is_read_back_and_a_second_run_finds_it_done(stack, report):
    found = read_export(stack, report)
    assert found.variant is Variant.FULL
    assert found.on_replica
    assert [one.identity for one in found.tables] == report.loaded_back
    assert {"haven_health.patients": PATIENTS}.items() <= {
        one.identity: one.rows for one in found.tables
    }.items()
    assert found.ledger[0][1] == "01_initial_schema.sql"
    run = stack.run()
    again = weekly_export(run, ExportParameters(name="first"))
    assert (again.steps, run.journal.writes) == ([], 0)
    assert (again.manifest, again.rows) == (report.manifest, report.rows)


def test_a_month_that_was_taken_out_and_loaded_back_is_proven_and_may_go(stack, report, detached):
    run = stack.run()
    proof = read_proofs(run.site)[f"audit.{detached.name}"]
    assert report.sha256 == proof.manifest_sha256
    reader = writer_login(run, None, "haven_reader")
    assert drop_partition(owner_login(stack), reader, detached, proof)


def loading(stack, login):
    """Return a run with the password of a login, and where that leads to."""
    settings = stack.settings.model_dump() | {"load_password": login.password}
    place = f"postgresql://{login.user}@{login.host}:{login.port}/{login.database}"
    return open_run(Settings(**settings)), place


def test_a_table_comes_back_from_an_export(stack, report, databases):
    with databases() as login:
        run, into = loading(stack, login)
        loaded = load_export(run, report.manifest, into, ("haven_health.patients",))
        assert [(one.table, one.rows) for one in loaded.tables] == [
            ("haven_health.patients", PATIENTS)
        ]
        assert "gender" in loaded.tables[0].without_type
        assert login.password not in loaded.model_dump_json()
        with session(login) as connection:
            row = connection.execute("SELECT count(*) FROM haven_health.patients").fetchone()
        assert row == (PATIENTS,)
        with pytest.raises(Conflict):
            load_export(run, report.manifest, into, ("haven_health.patients",))
        partitions = load_export(run, report.manifest, into, ("audit.access_logs",)).tables
        assert len(partitions) > 1


@pytest.mark.parametrize(
    ("manifest_at", "into", "table", "wrong"),
    [
        ("", "postgresql://a:secret@127.0.0.1:5432/b", "", "HAVEN_LOAD_PASSWORD"),
        ("", "postgresql://a@127.0.0.1/b", "", "needs host, port, user"),
        ("", "postgresql://a@127.0.0.1:port/b", "", "needs host, port, user"),
        ("", "postgresql://a@127.0.0.1:5432/b?sslmode=disable", "", "and nothing else"),
        ("", "no dsn at all", "", "needs host, port, user"),
        ("", "", "haven_health.none", "The export has no table"),
        ("http://elsewhere/manifest.json", "", "", "is not the place of a manifest"),
        ("s3://no-such-bucket/exports/a/full/manifest.json", "", "", "NoSuchBucket"),
    ],
)
def test_what_cannot_be_loaded_is_refused(stack, report, server, manifest_at, into, table, wrong):
    run, good = loading(stack, server.login("haven_admin"))
    with pytest.raises(HavenError, match=wrong) as caught:
        load_export(run, manifest_at or report.manifest, into or good, (table,) if table else ())
    assert "secret@" not in str(caught.value)
