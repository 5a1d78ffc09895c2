"""Backups that are lost or damaged, and restores that go wrong, at a tester's wish."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moto.rds.models import rds_backends

from localcloud.archive import Store
from localcloud.rds.backend import Home
from localcloud.rds.records import AutomatedBackup
from localcloud.restore_faults import FAIL, HANG, KINDS, STATUSES, VERSION, RestoreFault
from localcloud.runtime import Runtime
from localcloud.settings import ACCOUNT

RELEASE = "release-restores"
# The long header of a segment's first page.
_HEADER = 40


class UnknownDamageError(ValueError):
    """What is asked for cannot be done."""


def _segment(store: Store) -> Path:
    """Return the WAL segment that every restore to the latest time needs last."""
    if not store.points:
        raise UnknownDamageError("No WAL was handed over yet.")
    return store.wal / store.points[-1].segment


def _remove_wal(store: Store) -> None:
    _segment(store).unlink(missing_ok=True)


def _damage_wal(store: Store) -> None:
    path = _segment(store)
    content = path.read_bytes()
    _replace(path, content[:_HEADER] + bytes(len(content) - _HEADER))


def _damage_base(store: Store) -> None:
    """Turn the bits of one page of the newest base's largest table."""
    if not store.bases:
        raise UnknownDamageError("There is no base backup yet.")
    base = store.bases[-1].copy.directory / "base"
    found = [Path(here, name) for here, _, names in os.walk(base) for name in names]
    path = max(found, key=lambda item: item.stat().st_size)
    content = path.read_bytes()
    _replace(path, bytes(byte ^ 255 for byte in content[:8192]) + content[8192:])


def _replace(path: Path, content: bytes) -> None:
    """Write a file in place: owner and mode stay."""
    with path.open("r+b") as there:
        there.write(content)


_DAMAGES: dict[str, Callable[[Store], None]] = {
    "remove-wal": _remove_wal,
    "damage-wal": _damage_wal,
    "damage-base": _damage_base,
}


def bring(runtime: Runtime, given: Mapping[str, Any]) -> None:
    """Do ``action``: to the backups named by ``arn``, or to the restore that is asked for next."""
    action = str(given.get("action"))
    if action in _DAMAGES:
        with runtime.lock:
            _DAMAGES[action](_find(str(given.get("arn"))).store)
    elif action == RELEASE:
        runtime.restore_faults.release()
    elif action in KINDS:
        runtime.restore_faults.arm(_fault(action, given))
    else:
        known = ", ".join([*_DAMAGES, *KINDS, RELEASE])
        raise UnknownDamageError(f"{action} is not one of {known}.")


def _fault(action: str, given: Mapping[str, Any]) -> RestoreFault:
    if action == HANG:
        return RestoreFault(HANG)
    if action == VERSION:
        return RestoreFault(VERSION, str(given.get("version", "14.1")))
    status = str(given.get("status", "restore-error"))
    if status not in STATUSES:
        raise UnknownDamageError(f"{status} is not one of {', '.join(STATUSES)}.")
    return RestoreFault(FAIL, status)


def _records() -> list[AutomatedBackup]:
    return [
        record
        for home in list(rds_backends[ACCOUNT].values())
        if isinstance(home, Home)
        for table in (home.automated_backups, home.replicated_backups)
        for record in table.values()
    ]


def _find(arn: str) -> AutomatedBackup:
    for record in _records():
        if record.arn == arn:
            return record
    raise UnknownDamageError(f"There are no automated backups {arn}.")


def table(runtime: Runtime) -> list[dict[str, Any]]:
    """Return what there is of backups."""
    with runtime.lock:
        return [
            {
                "arn": record.arn,
                "instance": record.identifier,
                "resource": record.resource_id,
                "bases": [base.ended.isoformat() for base in record.store.bases],
                "wal": sorted(record.store.names()),
                "points": [point.moment.isoformat() for point in record.store.points],
            }
            for record in _records()
        ]
