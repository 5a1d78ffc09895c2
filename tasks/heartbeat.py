"""The heartbeat of a stack: one row, written on the primary and read wherever it has come to."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from haven.aws import not_found
from haven.errors import Failed
from haven.heartbeat import Beat
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from haven.stack.layout import RETIRED
from haven.stack.names import TAG_ROLE
from tasks.instance_waits import describe
from tasks.kinds import looks
from tasks.site import Site, as_map

__all__ = ["Beat", "is_still_written_to", "last_beat", "read_beat", "write_beat"]


@looks
def last_beat(login: Login, stack: str) -> Beat | None:
    """Log in to a server, a replica too, and return a stack's last beat there."""
    with session(login) as connection:
        return read_beat(connection, stack)


def read_beat(connection: Connection, stack: str) -> Beat | None:
    """Return a stack's last beat on this server; nothing when it has no table or no row for it."""
    (exists,) = connection.execute(QUERIES["heartbeat_exists"]).fetchone() or (False,)
    if not exists:
        return None
    row = connection.execute(QUERIES["heartbeat_read"], {"stack": stack}).fetchone()
    return None if row is None else _beat(row)


def write_beat(connection: Connection, stack: str, *, instance: str, who: str) -> Beat:
    """Write one beat of a stack, as a statement of its own, and return it.

    ``instance`` is the DbiResourceId of the instance that ``connection`` leads to.
    """
    row = connection.execute(
        QUERIES["heartbeat_write"], {"stack": stack, "instance": instance, "who": who}
    ).fetchone()
    if row is None:
        raise Failed(f"The heartbeat of {stack} was not written, though the server took it.")
    return _beat(row)


def is_still_written_to(site: Site, name: str, instance: str) -> bool:
    """Ask RDS once whether a name still stands for an instance (its DbiResourceId) and the primary.

    Where RDS does not answer, it is taken to: the heart goes on while AWS's API is away.
    """
    rds = site.cloud.client("rds", site.stack.region, retries=False)
    try:
        item = describe(rds, name)
    except (ClientError, BotoCoreError) as error:
        return not not_found(error)
    replicates = bool(item.get("ReadReplicaSourceDBInstanceIdentifier"))
    is_left = as_map(item.get("TagList")).get(TAG_ROLE) == RETIRED
    return bool(item["DbiResourceId"] == instance and not replicates and not is_left)


def _beat(row: tuple[Any, ...]) -> Beat:
    stack, beat_at, beats, epoch, instance, age = row
    return Beat(stack, beat_at, beats, epoch, instance, age)
