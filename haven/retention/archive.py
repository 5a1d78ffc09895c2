"""Objects in an archive: where each is on its way out of it, and how long that takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

# Minimum durations that S3 bills (S3 User Guide, "Transitioning objects": minimum storage duration).
GLACIER_DAYS = 90
DEEP_ARCHIVE_DAYS = 180
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')


class Tier(StrEnum):
    """How fast, and how dear."""

    EXPEDITED = "Expedited"
    STANDARD = "Standard"
    BULK = "Bulk"


# Hours that a retrieval takes at most (S3 User Guide, "Archive retrieval options").
HOURS = {
    ("GLACIER", Tier.EXPEDITED): 0.1,
    ("GLACIER", Tier.STANDARD): 5.0,
    ("GLACIER", Tier.BULK): 12.0,
    ("DEEP_ARCHIVE", Tier.STANDARD): 12.0,
    ("DEEP_ARCHIVE", Tier.BULK): 48.0,
}
ARCHIVES = frozenset(name for name, _ in HOURS)


class State(StrEnum):
    """Where an object is."""

    WARM = "warm"
    FROZEN = "in the archive"
    COMING = "on its way"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Archived:
    """An object, and until when a copy out of the archive is there, if there is one."""

    key: str
    size: int
    storage_class: str
    state: State
    until: datetime | None = None

    @property
    def address(self) -> str:
        """What steps call it."""
        return f"object/{self.key}"


def read_state(storage_class: str, restore: str) -> tuple[State, datetime | None]:
    """Read the header ``x-amz-restore`` of an object, which is empty where nobody asked for it."""
    if storage_class not in ARCHIVES:
        return State.WARM, None
    if 'ongoing-request="true"' in restore:
        return State.COMING, None
    match = _EXPIRY.search(restore)
    if match is None:
        return State.FROZEN, None
    return State.READY, parsedate_to_datetime(match[1]).astimezone(UTC)


def early_moves(glacier: int, deep_archive: int, expire: int) -> list[str]:
    """Say which moves of a lifecycle, in days, are billed as if they came later."""
    told = []
    if deep_archive - glacier < GLACIER_DAYS:
        told.append(
            f"objects leave Glacier after {deep_archive - glacier} days, and {GLACIER_DAYS} are billed"
        )
    if expire - deep_archive < DEEP_ARCHIVE_DAYS:
        told.append(
            f"objects leave Deep Archive after {expire - deep_archive} days, and "
            f"{DEEP_ARCHIVE_DAYS} are billed"
        )
    return told
