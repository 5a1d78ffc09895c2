"""Whether this is a moment to migrate: what stands against it, and what a person overrides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from haven.errors import Unavailable
from haven.stack.windows import is_open


class Objection(StrEnum):
    """What can stand against migrating now."""

    INSTANCE_BUSY = "instance-busy"
    BACKUP_WINDOW = "backup-window"
    MAINTENANCE_WINDOW = "maintenance-window"
    REPLICA_BEHIND = "replica-behind"


@dataclass(frozen=True, slots=True)
class Moment:
    """What was seen before the first file.

    ``status`` is the instance's while it cannot serve in full, else empty. Windows are empty where
    nobody has to keep to them. ``behind`` says of each replica that is behind, by name, how far.
    """

    now: datetime
    instance: str
    status: str = ""
    backup_window: str = ""
    maintenance_window: str = ""
    behind: Mapping[str, str] | None = None


def objections(moment: Moment) -> dict[Objection, str]:
    """Return everything that stands against migrating now, each with a sentence."""
    found: dict[Objection, str] = {}
    if moment.status:
        found[Objection.INSTANCE_BUSY] = f"{moment.instance} is {moment.status}"
    if moment.backup_window and is_open(moment.backup_window, moment.now):
        found[Objection.BACKUP_WINDOW] = f"the backup window {moment.backup_window} UTC is open"
    if moment.maintenance_window and is_open(moment.maintenance_window, moment.now):
        window = moment.maintenance_window
        found[Objection.MAINTENANCE_WINDOW] = f"the maintenance window {window} UTC is open"
    if moment.behind:
        found[Objection.REPLICA_BEHIND] = "; ".join(
            f"{name} {how}" for name, how in sorted(moment.behind.items())
        )
    return found


def check_moment(moment: Moment, despite: Collection[Objection]) -> None:
    """Raise ``Unavailable`` with all that stands against it and was not overridden by name."""
    found = {name: text for name, text in objections(moment).items() if name not in despite}
    if found:
        texts = "; ".join(f"{text} ({name})" for name, text in found.items())
        options = " ".join(f"--param despite={name}" for name in found)
        raise Unavailable(
            f"This is no moment to migrate: {texts}.",
            left="Nothing was touched.",
            cure=f"Run the same command again later, or, where it cannot wait, with {options}.",
        )
