"""Housekeeping of a whole stack: what it leaves, what it takes, and that it does so once."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from flows.housekeeping import housekeeping
from flows.housekeeping_models import HousekeepingParameters
from haven.errors import InvalidRequest, Refused
from haven.pg import session
from haven.retention.orphans import Group
from haven.retention.snapshots import TAG_HOLD, Snapshot
from haven.stack import names
from haven.verification.guard import TAG_RUN, scratch_name
from tasks.kept_snapshots import Known, observe_snapshots_kept, remove_snapshot
from tasks.orphans import observe_kept_backups, remove_group, remove_kept_backup
from tests.local.housekeeping.conftest import keep_house, subjects
from tests.local.provision.beating import as_migrator, until
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

NOTHING = Known({}, {})
OURS = "haven:stack"
HELD = [{"Key": TAG_HOLD, "Value": "court case"}]


def tags(place: Place, role: str = "snapshot", **more: str) -> list[dict[str, str]]:
    found = names.tags(place.stack, role) | more
    return [{"Key": key, "Value": value} for key, value in found.items()]


@pytest.fixture(scope="module")
def original(kept: Place) -> Iterator[str]:
    """A snapshot that others are copied from, since a copy takes a moment only."""
    rds, name = kept.client("rds"), f"{kept.stack.prefix}-original"
    rds.create_db_snapshot(DBInstanceIdentifier=kept.primary, DBSnapshotIdentifier=name, Tags=HELD)
    available(kept, name)
    yield name
    rds.delete_db_snapshot(DBSnapshotIdentifier=name)


@pytest.fixture
def snapshots(kept: Place, original: str) -> Iterator[dict[str, str]]:
    """Five snapshots by a word: one held, one shared, one of nobody, one to go, the newest."""
    rds, prefix = kept.client("rds"), kept.stack.prefix
    given: dict[str, list[dict[str, str]]] = {
        "held": [*tags(kept), *HELD],
        "shared": tags(kept),
        "foreign": [{"Key": OURS, "Value": "somebody-else"}],
        "old": tags(kept),
        "newest": tags(kept),
    }
    found = {word: f"{prefix}-{word}" for word in given}
    for word, name in found.items():
        rds.copy_db_snapshot(
            SourceDBSnapshotIdentifier=original, TargetDBSnapshotIdentifier=name, Tags=given[word]
        )
    for name in found.values():
        available(kept, name)
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier=found["shared"],
        AttributeName="restore",
        ValuesToAdd=["210987654321"],
    )
    yield {word: f"snapshot/us-east-1/{name}" for word, name in found.items()}
    for name in there(kept):
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def available(place: Place, name: str) -> None:
    rds = place.client("rds")
    until(
        lambda: (
            rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"]
            == "available"
        )
    )


def there(place: Place) -> set[str]:
    items = place.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return {
        item["DBSnapshotIdentifier"]
        for item in items
        if item["DBInstanceIdentifier"] == place.primary
        and not item["DBSnapshotIdentifier"].endswith("-original")
    }


def test_a_stack_that_was_just_made_leaves_nothing_to_do(kept: Place) -> None:
    first = keep_house(kept)
    assert (first.steps, first.left) == ([], [])
    again = keep_house(kept)
    assert (again.steps, again.aws_writes) == ([], 0)
    assert any(line.startswith("storage of instances: 60") for line in again.cost_before)
    assert again.cost_before == again.cost_after


@pytest.mark.usefixtures("later")
def test_a_dry_run_and_an_unconfirmed_one_delete_nothing(
    kept: Place, snapshots: dict[str, str]
) -> None:
    wanted = [f"delete {snapshots['old']}"]
    dry = keep_house(kept, dry_run=True)
    assert (subjects(dry), dry.aws_writes, dry.evidence) == (wanted, 0, "")
    shown = keep_house(kept, confirm="")
    assert [f"{one.verb} {one.subject}" for one in shown.left] == wanted
    assert (shown.steps, shown.aws_writes) == ([], 0)
    assert len(there(kept)) == 5


@pytest.mark.usefixtures("later")
def test_what_no_rule_keeps_goes_and_what_somebody_wants_stays(
    kept: Place, snapshots: dict[str, str]
) -> None:
    report = keep_house(kept)
    assert subjects(report) == [f"delete {snapshots['old']}"]
    assert {
        address: report.kept[address] for address in snapshots.values() if address in report.kept
    } == {
        snapshots["held"]: "it is held: court case",
        snapshots["shared"]: "it is in use: it is shared with 210987654321",
        snapshots["foreign"]: "it does not bear the tag of this stack",
        snapshots["newest"]: "it is the newest of its instance",
    }
    assert snapshots["old"].rpartition("/")[2] not in there(kept)
    assert report.saved_usd == round(20 * 0.095, 2)
    again = keep_house(kept)
    assert (again.steps, again.aws_writes) == ([], 0)


def test_nothing_young_goes(kept: Place, snapshots: dict[str, str]) -> None:
    report = keep_house(kept)
    assert report.steps == []
    assert report.kept[snapshots["old"]] == "it is younger than 1 days"


def test_a_snapshot_is_looked_at_once_more_right_before(
    kept: Place, snapshots: dict[str, str]
) -> None:
    site, rds = kept.run().site, kept.client("rds")
    found = observe_snapshots_kept(site, "us-east-1", NOTHING)
    planned = next(one for one in found if one.address == snapshots["old"])

    def refused(reason: str, one: Snapshot = planned) -> None:
        with pytest.raises(Refused, match=f"is not deleted: .*{reason}"):
            remove_snapshot(site, one)

    refused("another one of that name", replace(planned, taken=planned.taken.replace(year=2020)))
    rds.add_tags_to_resource(ResourceName=planned.arn, Tags=HELD)
    refused("somebody holds it")
    rds.remove_tags_from_resource(ResourceName=planned.arn, TagKeys=[TAG_HOLD, OURS])
    refused("does not bear the tag")
    rds.add_tags_to_resource(ResourceName=planned.arn, Tags=tags(kept))
    sharing = {"DBSnapshotIdentifier": planned.name, "AttributeName": "restore"}
    rds.modify_db_snapshot_attribute(**sharing, ValuesToAdd=["1" * 12])
    refused("it is shared with 1")
    rds.modify_db_snapshot_attribute(**sharing, ValuesToRemove=["1" * 12])
    assert planned.name in there(kept)
    assert remove_snapshot(site, planned)
    assert not remove_snapshot(site, planned)


def test_a_snapshot_that_is_being_copied_is_in_use(kept: Place, snapshots: dict[str, str]) -> None:
    site, stack = kept.run().site, kept.stack
    away, name = kept.client("rds", stack.recovery_region), f"{stack.prefix}-away"
    source = next(
        one
        for one in observe_snapshots_kept(site, "us-east-1", NOTHING)
        if one.address == snapshots["old"]
    )
    latency(kept, 20)
    try:
        away.copy_db_snapshot(
            SourceDBSnapshotIdentifier=source.arn,
            TargetDBSnapshotIdentifier=name,
            SourceRegion="us-east-1",
            KmsKeyId="alias/aws/rds",
        )
        found = observe_snapshots_kept(site, "us-east-1", NOTHING)
        uses = {one.address: one.use for one in found}
        assert uses[snapshots["old"]] == "a copy of it is being made"
        with pytest.raises(Refused, match="a copy of it is being made"):
            remove_snapshot(site, source)
    finally:
        latency(kept, 0)
        away.delete_db_snapshot(DBSnapshotIdentifier=name)


def latency(place: Place, seconds: float) -> None:
    """Let snapshots take so long from now on."""
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{place.settings.endpoint_url}/localcloud/latency",
        data=json.dumps({"snapshot": seconds}).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # loopback


def test_a_name_that_is_not_the_stacks_is_refused(kept: Place) -> None:
    with pytest.raises(InvalidRequest, match="is not the name of the stack"):
        housekeeping(kept.run(), HousekeepingParameters(confirm="another"))


def group(place: Place, name: str, *, owner: str) -> str:
    answer = place.client("rds").create_db_parameter_group(
        DBParameterGroupName=name,
        DBParameterGroupFamily="postgres15",
        Description="left over",
        Tags=[{"Key": OURS, "Value": owner}],
    )
    return str(answer["DBParameterGroup"]["DBParameterGroupArn"])


def groups(place: Place) -> set[str]:
    pages = place.client("rds").get_paginator("describe_db_parameter_groups").paginate()
    return {item["DBParameterGroupName"] for page in pages for item in page["DBParameterGroups"]}


def test_leftovers_go_no_more_than_the_limit_in_one_run(kept: Place) -> None:
    prefix = kept.stack.prefix
    before = groups(kept)
    left = [f"{prefix}-left-{number}" for number in range(3)]
    for name in left:
        group(kept, name, owner=prefix)
    foreign = f"{prefix}-foreign"
    group(kept, foreign, owner=f"{prefix}-b")
    first = keep_house(kept)
    assert subjects(first) == [f"delete parameter-group/us-east-1/{name}" for name in left[:2]]
    address = f"parameter-group/us-east-1/{left[2]}"
    assert first.kept[address] == "left for the next run, as one deletes at most 2"
    assert subjects(keep_house(kept)) == [f"delete {address}"]
    assert groups(kept) - before == {foreign}
    kept.client("rds").delete_db_parameter_group(DBParameterGroupName=foreign)


def test_a_group_in_use_and_backups_of_an_instance_that_is_there_are_refused(kept: Place) -> None:
    site = kept.run().site
    item = kept.client("rds").describe_db_instances(DBInstanceIdentifier=kept.primary)
    used = item["DBInstances"][0]["DBParameterGroups"][0]["DBParameterGroupName"]
    with pytest.raises(Refused, match="use it"):
        remove_group(site, Group(used, "us-east-1", "", {}), frozenset())
    copies = observe_kept_backups(site, kept.stack.recovery_region)
    assert [one.instance for one in copies] == [kept.primary]
    with pytest.raises(Refused, match="its instance is there"):
        remove_kept_backup(site, copies[0])


def test_a_log_that_is_kept_for_ever_gets_its_end(kept: Place) -> None:
    logs = kept.client("logs")
    ours = f"/aws/rds/instance/{names.rehearsal(kept.stack)}/postgresql"
    another = f"/aws/rds/instance/{kept.stack.prefix}-b-primary/postgresql"
    for name in (ours, another):
        logs.create_log_group(logGroupName=name)
    report = keep_house(kept)
    assert subjects(report) == [f"update log-group/us-east-1/{ours}"]
    days = {
        item["logGroupName"]: item.get("retentionInDays")
        for item in logs.describe_log_groups(logGroupNamePrefix="/aws/rds/instance/")["logGroups"]
    }
    assert (days[ours], days[another]) == (365, None)
    assert keep_house(kept).steps == []
    for name in (ours, another):
        logs.delete_log_group(logGroupName=name)


@pytest.mark.usefixtures("later")
def test_a_scratch_copy_past_its_time_goes(kept: Place) -> None:
    rds, name = kept.client("rds"), scratch_name(kept.stack, "0123abcd")
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="haven_admin",
        MasterUserPassword="only-for-tests",  # of the tests
        BackupRetentionPeriod=0,
        Tags=tags(kept, "scratch", **{TAG_RUN: "a test"}),
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    assert subjects(keep_house(kept)) == [f"delete instance/us-east-1/{name}"]
    found: list[dict[str, Any]] = rds.describe_db_instances()["DBInstances"]
    assert name not in [item["DBInstanceIdentifier"] for item in found]


def test_a_missing_month_is_made_and_somebody_is_woken(kept: Place) -> None:
    as_migrator(kept, f"SET ROLE haven_owner; DROP TABLE audit.access_logs_{next_month(kept)}")
    dry = keep_house(kept, dry_run=True)
    assert [one.verb for one in dry.steps] == ["create"]
    report = keep_house(kept, confirm="")
    assert subjects(report) == [f"create partition/audit.access_logs_{next_month(kept)}"]
    assert "has no partition for" in report.warnings[0]
    assert report.aws_writes == 1
    assert keep_house(kept).warnings == []


def next_month(place: Place) -> str:
    from flows.endpoints import home_instances  # noqa: PLC0415  # used here alone
    from flows.housekeeping_database import READER, database_logins  # noqa: PLC0415  # likewise

    run = place.run()
    with session(database_logins(run, home_instances(run))[READER]) as connection:
        row = connection.execute(
            "SELECT to_char((now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM')"
        ).fetchone()
    return str(row[0]) if row else ""
