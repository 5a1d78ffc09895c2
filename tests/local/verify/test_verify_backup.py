"""Verifying backups of a provisioned stack: what is proven, measured, left behind, and refused."""

import json
import threading
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flows.endpoints import writer_login
from flows.migrate import MigrateParameters, migrate
from flows.sample_data import load
from flows.verification_models import VerifyParameters
from flows.verify_backup import verify_backup
from haven.errors import InvalidRequest, Refused
from haven.pg import session
from haven.stack import names
from haven.verification.choice import Kind
from haven.verification.history import PREFIX
from haven.verification.verdict import Verdict
from tasks.heartbeat import write_beat

pytestmark = pytest.mark.local

STEP_S = 301


@pytest.fixture(scope="module")
def stack(place, request):
    """A stack of each file's own with rows, whose heart beat."""
    name = request.module.__name__.rpartition("test_")[2].replace("_", "-")
    made = place(name, sections="[heartbeat]\ninterval_seconds = 1\nlimit_seconds = 60\n")
    made.provision()
    migrate(made.run(), MigrateParameters())
    load(made.run(), patients=60, seed=2)
    beat(made)
    return made


def beat(stack):
    run = stack.run()
    with session(writer_login(run, None, "haven_migrator")) as connection:
        return write_beat(connection, stack.stack.prefix, instance="db-TESTS", who="a test")


def hand_over(stack):
    """Let five minutes pass, after which WAL is handed over."""
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{stack.settings.endpoint_url}/localcloud/clock",
        data=json.dumps({"advance": STEP_S}).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # our own server


def verify(stack, **parameters):
    """Verify; when the run waits for the archive, time passes."""

    def progress(message):
        if "waiting until" in message:
            threading.Thread(target=hand_over, args=(stack,)).start()

    run = stack.run()
    run = replace(run, progress=progress)
    return verify_backup(run, VerifyParameters(**parameters))


def instances(stack, region="us-east-1"):
    pages = stack.client("rds", region).get_paginator("describe_db_instances").paginate()
    return sorted(item["DBInstanceIdentifier"] for page in pages for item in page["DBInstances"])


def scratches(stack):
    return [
        name
        for region in ("us-east-1", "us-west-2")
        for name in instances(stack, region)
        if name.startswith(f"{stack.stack.prefix}-scratch-")
    ]


def ledger(stack):
    s3 = stack.client("s3")
    bucket = names.bucket(stack.stack, "evidence")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=PREFIX).get("Contents", [])
    keys = sorted(item["Key"] for item in listed)
    return [json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]


def test_the_latest_backup_is_proven_row_by_row_and_nothing_is_left(stack):
    before = instances(stack)
    beat(stack)
    report = verify(stack)
    assert report.verdict is Verdict.VERIFIED, report.checks
    assert report.rows_equal > 500
    assert (report.rows_unexplained, report.share) == (0, 1.0)
    assert report.rpo_seconds is not None
    assert 0 <= report.rpo_seconds < 60
    assert instances(stack) == before
    assert scratches(stack) == []
    entry = ledger(stack)[-1]
    assert (entry["verdict"], entry["kind"]) == ("verified", "latest")
    assert set(entry["proven"]) > {"haven_health.patients", "haven_ops.heartbeat"}


def test_a_moment_is_proven_by_the_manifest_before_it(stack):
    verify(stack)
    beat(stack)
    moment = datetime.now(UTC)
    with session(writer_login(stack.run(), None, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner; CREATE TABLE haven_health.later (id int)")
        connection.execute("DROP TABLE haven_health.later")
    hand_over(stack)
    report = verify(stack, kind=Kind.TIME, moment=moment)
    assert report.verdict is Verdict.VERIFIED, report.checks
    assert report.restored_to == moment
    assert report.rpo_seconds is not None
    assert report.rpo_seconds < 5


def test_a_snapshot_from_before_any_manifest_is_sound_and_its_content_unknown(stack):
    rds = stack.client("rds")
    name = f"{stack.primary}-early"
    rds.create_db_snapshot(DBInstanceIdentifier=stack.primary, DBSnapshotIdentifier=name)
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    verify(stack)
    report = verify(stack, kind=Kind.SNAPSHOT, snapshot=name)
    assert report.verdict in (Verdict.VERIFIED, Verdict.CONTENT_UNKNOWN)
    assert scratches(stack) == []


def test_the_copy_in_the_recovery_region_is_proven_there(stack):
    beat(stack)
    report = verify(stack, kind=Kind.RECOVERY)
    assert report.verdict is Verdict.VERIFIED, report.checks
    assert ":us-west-2:" in report.backup
    assert scratches(stack) == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(stack):
    entries = len(ledger(stack))
    report = verify(stack, dry_run=True)
    assert [step.subject for step in report.steps] == ["manifest", "scratch copy"]
    assert (report.aws_writes, len(ledger(stack))) == (0, entries)


def test_a_copy_is_kept_for_people_as_long_as_they_asked_and_then_goes(stack):
    report = verify(stack, keep_hours=1)
    assert scratches(stack) == [report.kept]
    verify(stack)
    assert scratches(stack) == [report.kept]
    rds = stack.client("rds")
    arn = rds.describe_db_instances(DBInstanceIdentifier=report.kept)["DBInstances"][0][
        "DBInstanceArn"
    ]
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "haven:keep-until", "Value": past}])
    verify(stack)
    assert scratches(stack) == []


def test_what_only_looks_like_a_scratch_copy_is_left_and_told(stack):
    rds = stack.client("rds")
    name = f"{stack.stack.prefix}-scratch-0123abcd"
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="somebody",
        MasterUserPassword="Correct-Horse-1",  # of a server that the test removes
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    with pytest.raises(Refused, match="its tags are not those of a scratch copy"):
        verify(stack)
    assert name in instances(stack)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(
        DBInstanceIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


@pytest.mark.parametrize(
    ("parameters", "error", "told"),
    [
        ({"kind": Kind.TIME}, InvalidRequest, "kind=time needs a moment"),
        ({"moment": datetime(2026, 1, 1, tzinfo=UTC)}, InvalidRequest, "goes with kind=time"),
        (
            {"kind": Kind.TIME, "moment": datetime(2020, 1, 1, tzinfo=UTC)},
            Refused,
            "the backups reach from",
        ),
        ({"kind": Kind.SNAPSHOT, "snapshot": "none"}, Refused, "no snapshot none"),
    ],
)
def test_what_cannot_be_verified_is_refused_and_nothing_is_touched(stack, parameters, error, told):
    before, entries = scratches(stack), len(ledger(stack))
    with pytest.raises(error, match=told):
        verify(stack, **parameters)
    assert (scratches(stack), len(ledger(stack))) == (before, entries)
