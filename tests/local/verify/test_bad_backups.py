"""Backups that cannot be good: each ends with a clear verdict, never as verified, and leaves nothing."""

import json
import threading
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.frame import open_run
from flows.verification_models import VerifyParameters
from flows.verify_backup import verify_backup
from haven.errors import Failed, HavenError, Unavailable
from haven.verification.choice import Kind
from tests.local.verify.test_verify_backup import hand_over, ledger, scratches, stack, verify

__all__ = ["stack"]

pytestmark = pytest.mark.local


def harm(stack, **what):
    """Ask the local cloud to harm a backup or the next restore."""
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{stack.settings.endpoint_url}/localcloud/backups",
        data=json.dumps(what).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # our own server


def backup_arn(stack):
    rds = stack.client("rds")
    found = rds.describe_db_instance_automated_backups(DBInstanceIdentifier=stack.primary)
    return found["DBInstanceAutomatedBackups"][0]["DBInstanceAutomatedBackupsArn"]


def verify_hearing(stack, hear, **parameters):
    """Verify, and hear of its progress."""

    def progress(message):
        if "waiting until" in message:
            threading.Thread(target=hand_over, args=(stack,)).start()
        hear(message)

    run = stack.run()
    return verify_backup(replace(run, progress=progress), VerifyParameters(**parameters))


@pytest.mark.parametrize("status", ["restore-error", "incompatible-restore", "failed"])
def test_a_backup_that_does_not_restore_is_not_good(stack, status):
    harm(stack, action="fail-restore", status=status)
    with pytest.raises(Failed, match=f"is not good: restore: failed .it ended in {status}"):
        verify(stack)
    assert ledger(stack)[-1]["verdict"] == "not good"
    assert scratches(stack) == []


@pytest.mark.parametrize("status", ["insufficient-capacity", "storage-full"])
def test_what_is_not_the_backups_fault_is_no_verdict_on_it(stack, status):
    entries = len(ledger(stack))
    harm(stack, action="fail-restore", status=status)
    with pytest.raises(Failed, match=status):
        verify(stack)
    assert len(ledger(stack)) == entries
    assert scratches(stack) == []


def test_another_version_is_not_good(stack):
    harm(stack, action="misversion-restore", version="15.1")
    with pytest.raises(Failed, match=r"the copy is PostgreSQL 15\.1"):
        verify(stack)
    assert scratches(stack) == []


def test_a_restore_that_never_ends_is_given_up_and_removed_by_the_next_run(stack):
    entries = len(ledger(stack))
    harm(stack, action="hang-restore")
    run = open_run(stack.settings.model_copy(update={"wait_limit": 2.0}))
    moment = datetime.now(UTC)
    hand_over(stack)
    with pytest.raises(Unavailable, match="to be restored was not reached"):
        verify_backup(run, VerifyParameters(kind=Kind.TIME, moment=moment))
    assert len(scratches(stack)) == 1
    assert len(ledger(stack)) == entries
    harm(stack, action="release-restores")
    verify(stack)
    assert scratches(stack) == []


def test_a_snapshot_that_is_deleted_meanwhile_is_told(stack):
    rds = stack.client("rds")
    name = f"{stack.primary}-gone"
    rds.create_db_snapshot(DBInstanceIdentifier=stack.primary, DBSnapshotIdentifier=name)
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    def hear(message):
        if message.startswith("taking a manifest"):
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)

    with pytest.raises(HavenError, match=name):
        verify_hearing(stack, hear, kind=Kind.SNAPSHOT, snapshot=name)
    assert scratches(stack) == []


def test_a_backup_that_lost_wal_is_not_good_and_the_alarm_is_raised(stack):
    """Last: the backups of this stack are spoilt by it."""
    verify(stack)
    moment = datetime.now(UTC)
    hand_over(stack)
    harm(stack, action="remove-wal", arn=backup_arn(stack))
    with pytest.raises(Failed, match="is not good"):
        verify(stack, kind=Kind.TIME, moment=moment)
    assert ledger(stack)[-1]["verdict"] == "not good"
    assert scratches(stack) == []
    url = f"{stack.settings.endpoint_url}/localcloud/calls"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # our own server
        assert [call for call in json.load(answer)["calls"] if call["operation"] == "Publish"]
