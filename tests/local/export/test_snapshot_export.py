"""An export that RDS makes of a snapshot: complete, or refused with the names of what is missing."""

import json
import urllib.request
from datetime import UTC, datetime

import pytest

from flows import snapshot_export
from flows.endpoints import writer_login
from flows.export_models import ExportParameters
from flows.frame import open_run
from flows.load_export import load_export
from flows.weekly_export import weekly_export
from haven.errors import Failed, InvalidRequest
from haven.export.manifest import Variant
from haven.pg import session
from haven.settings import Settings
from haven.verification.choice import Kind
from haven.verification.history import Verification
from haven.verification.verdict import Verdict
from tasks.verifications import add_verification
from tests.local.export.conftest import PATIENTS, otherwise, read_export

pytestmark = pytest.mark.local

EXPORT = '[export]\nway = "snapshot"\n'


@pytest.fixture(scope="module")
def shipping(stack):
    """The stack whose file lets RDS export."""
    return otherwise(stack, EXPORT)


def tasks(shipping):
    return shipping.client("rds").describe_export_tasks()["ExportTasks"]


@pytest.fixture(scope="module")
def report(shipping):
    return weekly_export(shipping.run(), ExportParameters(name="shipped"))


def test_a_fresh_snapshot_is_exported_where_none_is_verified(shipping, report):
    found = read_export(shipping, report)
    assert found.way == "snapshot"
    assert found.snapshot.endswith(":snapshot:haven-tests-exported-export-shipped")
    rows = {one.identity: one.rows for one in found.tables}
    assert rows["haven_health.patients"] == PATIENTS
    assert rows["haven_health.sync_queue"] > 0
    assert all(stored.sha256 for one in found.tables for stored in one.objects)
    names = {column.name: column.form for column in found.tables[-1].columns}
    assert names


def test_a_second_run_finds_it_done(shipping, report):
    run = shipping.run()
    again = weekly_export(run, ExportParameters(name="shipped"))
    assert (again.manifest, again.rows, run.journal.writes) == (report.manifest, report.rows, 0)


def test_it_cannot_be_loaded_and_has_no_variant(shipping, report, server):
    login = server.login("haven_admin")
    settings = Settings(**(shipping.settings.model_dump() | {"load_password": login.password}))
    run = open_run(settings)
    into = f"postgresql://{login.user}@{login.host}:{login.port}/{login.database}"
    with pytest.raises(InvalidRequest, match="cannot be loaded back"):
        load_export(run, report.manifest, into)
    with pytest.raises(InvalidRequest, match="no variant deidentified"):
        weekly_export(shipping.run(), ExportParameters(variant=Variant.DEIDENTIFIED))


def test_a_run_that_was_ended_cancels_its_task_and_the_next_one_begins_another(
    shipping, monkeypatch
):
    def ended(_site, _name):
        raise KeyboardInterrupt

    control = shipping.settings.endpoint_url
    _latency(control, 1.0)
    with monkeypatch.context() as patched:
        patched.setattr(snapshot_export, "wait_export", ended)
        with pytest.raises(KeyboardInterrupt):
            weekly_export(shipping.run(), ExportParameters(name="ended"))
    _latency(control, 0)
    begun = {task["ExportTaskIdentifier"] for task in tasks(shipping)}
    found = read_export(shipping, weekly_export(shipping.run(), ExportParameters(name="ended")))
    last = {task["ExportTaskIdentifier"]: task["Status"] for task in tasks(shipping)}
    (new,) = last.keys() - begun
    assert new.endswith("-2")
    assert sorted(last.values()) == ["CANCELED", "COMPLETE", "COMPLETE"]
    assert all(new in stored.key for one in found.tables for stored in one.objects)


def _latency(endpoint, seconds):
    body = json.dumps({"export": seconds}).encode()
    request = urllib.request.Request(f"{endpoint}/localcloud/latency", body, method="POST")  # noqa: S310
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # loopback


def test_what_rds_skips_makes_the_run_fail_by_name(shipping):
    with session(writer_login(shipping.run(), None, "haven_migrator")) as connection:
        connection.execute(
            'SET ROLE haven_owner; CREATE TABLE haven_health."odd/name" ("a column" integer);'
            'GRANT SELECT ON haven_health."odd/name" TO haven_reader'
        )
        try:
            with pytest.raises(Failed, match=r"odd/name: TABLE_NAME_HAS_UNSUPPORTED") as caught:
                weekly_export(shipping.run(), ExportParameters(name="skipping"))
        finally:
            connection.execute('DROP TABLE haven_health."odd/name"')
    assert "there is no manifest" in str(caught.value)


def test_the_newest_verified_snapshot_is_taken(shipping, report):
    wanted = "haven-tests-exported-export-shipped"
    now = datetime.now(UTC)
    entry = Verification(
        kind=Kind.SNAPSHOT,
        source="db-TESTS",
        backup=f"arn:aws:rds:us-east-1:123456789012:snapshot:{wanted}",
        restored_to=now,
        finished=now,
        verdict=Verdict.VERIFIED,
        rto_seconds=1,
    )
    add_verification(shipping.run().site, entry)
    found = read_export(
        shipping, weekly_export(shipping.run(), ExportParameters(name="of-verified"))
    )
    assert (found.rows, found.snapshot) == (report.rows, entry.backup)
