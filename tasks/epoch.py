"""The epoch of a stack, as its database knows it. A schema without the table has none to write."""

from __future__ import annotations

from dataclasses import dataclass

from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from tasks.kinds import changes, looks


@dataclass(frozen=True, slots=True)
class Epoch:
    """The newest epoch that a database has heard of; ``opened`` once its primary may be written."""

    number: int
    instance: str
    opened: bool


@looks
def read_epoch(login: Login, stack: str) -> Epoch | None:
    """Return the newest epoch of a stack; nothing before its first promotion."""
    with session(login) as connection:
        if not has_epochs(connection):
            return None
        row = connection.execute(QUERIES["epoch_read"], {"stack": stack}).fetchone()
    return None if row is None else Epoch(*row)


@changes
def begin_epoch(login: Login, stack: str, number: int, instance: str, who: str) -> bool:
    """Write down that an instance (its DbiResourceId) becomes the primary; tell whether it could."""
    given = {"stack": stack, "epoch": number, "instance": instance, "who": who}
    return _write(login, given, "epoch_begin")


@changes
def open_epoch(login: Login, stack: str, number: int, instance: str, who: str) -> bool:
    """Write down that the new primary is open, and let beats carry its epoch."""
    given = {"stack": stack, "epoch": number, "instance": instance, "who": who}
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
