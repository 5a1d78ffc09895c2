"""What housekeeping is swept on: old snapshots, a leftover group, an endless log, old rows and months."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows import chores
from flows.endpoints import writer_login
from flows.frame import Run
from flows.housekeeping import housekeeping
from flows.housekeeping_models import HousekeepingParameters
from haven.pg import session
from haven.retention.snapshots import TAG_HOLD
from haven.stack import names
from haven.waiting import Wait, wait_for
from tests.fault.inventory import Account

LATER = timedelta(days=40)
HELD, GOES, STAYS = "sweep-held", "sweep-goes", "sweep-stays"
GROUP = "{prefix}-left-over"
OLD_ROWS = """
SET ROLE haven_owner;
SELECT audit.make_access_log_partition('2018-03-01');
ALTER TABLE audit.access_logs_2018_03 NO FORCE ROW LEVEL SECURITY;
SET ROLE haven_loader;
INSERT INTO audit.access_logs (id, accessed_at, user_id, organization_id, action, channel, result,
    user_role, resource_type, purpose)
VALUES ('00000000-0000-0000-0000-000000000001', '2018-03-05Z', '00000000-0000-0000-0000-000000000002',
    '00000000-0000-0000-0000-000000000003', 'view', 'api', 'success', 'nurse', 'patient', 'care');
INSERT INTO haven_health.sync_queue (sync_id, organization_id, local_timestamp, record_id, action,
    device_id, record_type, payload, status, completed_at)
SELECT gen_random_uuid(), gen_random_uuid(), now(), gen_random_uuid(), 'create', 'a device', 'patient',
    'x', 'completed', now() - interval '40 days' FROM generate_series(1, 150);
RESET ROLE
"""


def clutter(run: Run) -> None:
    """Leave behind what housekeeping has to do with, and what it has to leave."""
    stack = run.loaded.stack
    rds = run.site.cloud.client("rds", stack.region)
    for name in (HELD, GOES, STAYS):
        held = {TAG_HOLD: "a sweep"} if name == HELD else {}
        tags = names.tags(stack, "snapshot") | held
        rds.create_db_snapshot(
            DBInstanceIdentifier=names.primary(stack),
            DBSnapshotIdentifier=name,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        _wait_available(run, rds, name)
    rds.create_db_parameter_group(
        DBParameterGroupName=GROUP.format(prefix=stack.prefix),
        DBParameterGroupFamily="postgres15",
        Description="left over",
        Tags=[{"Key": names.TAG_STACK, "Value": stack.prefix}],
    )
    run.site.cloud.client("logs", stack.region).create_log_group(
        logGroupName=f"/aws/rds/instance/{names.rehearsal(stack)}/postgresql"
    )
    with session(writer_login(run, None, "haven_migrator")) as connection:
        connection.execute(OLD_ROWS.encode())


def _wait_available(run: Run, rds: Any, name: str) -> None:
    wait_for(
        Wait(
            what=f"the snapshot {name}",
            probe=lambda: rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0],
            reached=lambda item: item["Status"] == "available",
            fatal=lambda _: None,
            interval=run.settings.interval,
            deadline=60,
        )
    )


def keep_house(run: Run) -> object:
    """Keep house as if what was just made were older than the backup window."""

    def later() -> datetime:
        return datetime.now(UTC) + LATER

    chores.now = later
    return housekeeping(run, HousekeepingParameters(confirm=run.loaded.stack.prefix))


def wrongly_kept_or_gone(account: Account, _ca_bundle: Path) -> list[str]:
    """Say which snapshots are not as they have to be at the end."""
    listed = account.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    found = {item["DBSnapshotIdentifier"] for item in listed}
    wanted = {HELD, STAYS}
    return [f"the snapshots are {sorted(found)}, not {sorted(wanted)}"] if found != wanted else []


def wrongly_gone(account: Account, _ca_bundle: Path) -> list[str]:
    """Say which snapshots are gone that must be there at every moment."""
    listed = account.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    found = {item["DBSnapshotIdentifier"] for item in listed}
    return [f"the snapshot {name} is gone" for name in (HELD, STAYS) if name not in found]
