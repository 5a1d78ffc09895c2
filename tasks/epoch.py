"""The epoch of a stack, as its database knows it. A schema without the table has none to write."""

from __future__ import annotations

from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from tasks.kinds import changes, looks


@looks
def read_horizon(login: Login, stack: str, number: int) -> str | None:
    """Return what the primary of an epoch had of the one before, as PostgreSQL writes snapshots.

    Nothing where it had all, or where nobody wrote it down.
    """
    with session(login) as connection:
        if not has_epochs(connection):
            return None
        given = {"stack": stack, "epoch": number}
        row = connection.execute(QUERIES["epoch_horizon"], given).fetchone()
    return str(row[0]) if row and row[0] else None


@changes
def begin_epoch(login: Login, stack: str, number: int, instance: str, who: str) -> bool:
    """Write down that an instance (its DbiResourceId) becomes the primary; tell whether it could."""
    given = {"stack": stack, "epoch": number, "instance": instance, "who": who}
    return _write(login, given, "epoch_begin")


@changes
def open_epoch(
    login: Login, stack: str, number: int, instance: str, who: str, horizon: str | None
) -> bool:
    """Write down that the new primary is open, and let beats carry its epoch.

    ``horizon`` is what it had of the epoch before; nothing where it had all.
    """
    given = {
        "stack": stack,
        "epoch": number,
        "instance": instance,
        "who": who,
        "horizon": horizon,
    }
    return _write(login, given, "epoch_open", "epoch_carry")


@changes
def withdraw_epoch(login: Login, stack: str, number: int) -> bool:
    """Take back an epoch that was begun and never opened."""
    return _write(login, {"stack": stack, "epoch": number}, "epoch_withdraw")


def _write(login: Login, given: dict[str, object], *queries: str) -> bool:
    with session(login) as connection:
        if not has_epochs(connection):
            return False
        with connection.transaction():
            for query in queries:
                connection.execute(QUERIES[query], given)
    return True


def has_epochs(connection: Connection) -> bool:
    """Tell whether the schema has come so far."""
    row = connection.execute(QUERIES["epoch_exists"]).fetchone()
    return bool(row and row[0])
