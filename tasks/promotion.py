"""Replicas on their way to being a primary: looking at them, draining, promoting, a first write."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import InvalidRequest
from haven.pg import Login, session
from haven.promotion.observed import Candidate, position, written
from haven.sql import QUERIES
from haven.stack.layout import Member
from haven.waiting import Wait, wait_for
from tasks.epoch import has_epochs
from tasks.heartbeat import last_beat
from tasks.instance_waits import FATAL, READY, SERVING, after_backup, describe
from tasks.kinds import changes, looks
from tasks.site import Site

INVALID_STATE = ("InvalidDBInstanceState", "InvalidDBInstanceStateFault")


@dataclass(frozen=True, slots=True)
class Replaying:
    """A server that replays, or did. Positions are bytes of WAL; ``snapshot`` is what it shows.

    ``waits`` says that it has replayed whatever is whole, and waits for more.
    """

    in_recovery: bool
    received: int
    replayed: int
    paused: bool
    fed: bool
    heard: int
    silent_s: float | None
    max_connections: int
    snapshot: str
    waits: bool = False


@looks
def look_at_candidate(master: Login, reader: Login, member: Member, stack: str) -> Candidate:
    """Log in to a replica and return what a promotion is decided from; the beat as a reader.

    Where a fence has come along, no reader gets in, and the beat is not known.
    """
    seen, beat = look_at_server(master), None
    with contextlib.suppress(InvalidRequest):
        beat = last_beat(reader, stack)
    return Candidate(
        name=member.name,
        region=member.region,
        zone=member.zone,
        instance_class=member.instance_class,
        status=member.status,
        follows=member.source.rsplit(":", 1)[-1],
        in_recovery=seen.in_recovery,
        received=seen.received,
        replayed=seen.replayed,
        heard=seen.heard,
        paused=seen.paused,
        fed=seen.fed,
        max_connections=seen.max_connections,
        beat_at=beat.beat_at if beat else None,
        beat_age=beat.age_s if beat else None,
    )


@looks
def look_at_server(master: Login) -> Replaying:
    """Log in to a server and say how far it is."""
    with session(master) as connection:
        return _replaying(connection.execute(QUERIES["replica_state"]).fetchone() or ())


def _replaying(row: Sequence[Any]) -> Replaying:
    return Replaying(
        in_recovery=bool(row[0]),
        received=position(row[1]),
        replayed=position(row[2]),
        paused=bool(row[3]),
        fed=bool(row[4]),
        heard=position(row[5]),
        silent_s=row[6],
        max_connections=int(row[7]),
        snapshot=str(row[8]),
        waits=bool(row[9]),
    )


@looks
def drain(
    master: Login, end: int | None, *, resumed: bool, limit: float, interval: float
) -> Replaying:
    """Wait until a replica has replayed up to ``end``, or all that it has received; say how far.

    ``limit`` is in seconds. Where an earlier run is ``resumed``, it may have promoted it after it
    was drained. Raises ``Unavailable`` when it has not come so far, ``Failed`` when it replays no
    more.
    """
    stood = -1

    def is_drained(seen: Replaying) -> bool:
        nonlocal stood
        if not seen.in_recovery:
            return resumed
        if end is not None:
            return seen.replayed >= end
        # Twice at the same place, and waiting: the rest of the last record will never come.
        stands, stood = seen.waits and seen.replayed == stood, seen.replayed
        return stands or seen.replayed >= seen.received

    with session(master) as connection:

        def probe() -> Replaying:
            return _replaying(connection.execute(QUERIES["replica_state"]).fetchone() or ())

        return wait_for(
            Wait(
                what=f"{master.host} to replay {written(end) if end else 'all it has received'}",
                probe=probe,
                reached=is_drained,
                fatal=_cannot_drain,
                interval=min(interval, 0.02),
                deadline=limit,
                describe=lambda seen: f"replayed {written(seen.replayed)}",
            )
        )


def _cannot_drain(seen: Replaying) -> str | None:
    if not seen.in_recovery:
        return "it takes writes already"
    return "its replay is paused" if seen.paused else None


@changes
def promote(site: Site, member: Member) -> None:
    """Make a replica a primary of its own with the stack's backups; one that is, is left."""
    rds, backups = site.cloud.client("rds", member.region), site.stack.backups
    if _source(rds, member.name):
        try:
            after_backup(
                site,
                member.region,
                member.name,
                lambda: rds.promote_read_replica(
                    DBInstanceIdentifier=member.name,
                    BackupRetentionPeriod=backups.retention_days,
                    PreferredBackupWindow=backups.window,
                ),
            )
        except ClientError as error:
            # A request whose answer was lost has promoted it.
            if not is_code(error, *INVALID_STATE) or _source(rds, member.name):
                raise
    _wait_promoted(site, member, rds)


def _wait_promoted(site: Site, member: Member, rds: Any) -> None:
    """Wait until RDS says that it replicates from nobody; one that went back to it has failed."""
    begun = False

    def failed(item: Mapping[str, Any]) -> str | None:
        nonlocal begun
        status = item["DBInstanceStatus"]
        begun = begun or status not in READY
        if status in FATAL:
            return str(status)
        return "RDS has given up promoting it" if begun and status in READY else None

    wait_for(
        Wait(
            what=f"{member.name} to be a primary",
            probe=lambda: describe(rds, member.name),
            reached=lambda item: (
                item["DBInstanceStatus"] in SERVING
                and not item.get("ReadReplicaSourceDBInstanceIdentifier")
            ),
            fatal=failed,
            interval=site.cloud.settings.interval,
            deadline=site.cloud.settings.deadline,
            describe=lambda item: str(item["DBInstanceStatus"]),
        )
    )


def _source(rds: Any, name: str) -> str:
    return str(describe(rds, name).get("ReadReplicaSourceDBInstanceIdentifier") or "")


@changes
def first_write(login: Login, stack: str, epoch: int) -> str:
    """Write through an endpoint of applications, and return when, by the server's clock.

    A schema without epochs has no row to write: then a transaction id is all that is asked for.
    Raises ``InvalidRequest`` or ``Unavailable`` while it is not possible.
    """
    with session(login) as connection:
        if has_epochs(connection):
            given = {"stack": stack, "epoch": epoch}
            row = connection.execute(QUERIES["epoch_written"], given).fetchone()
        else:
            row = connection.execute(QUERIES["first_transaction"]).fetchone()
    return str(row[0]) if row else ""
