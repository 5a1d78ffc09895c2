"""The steps of a promotion, by the names that its timeline has, and what each does.

The runbook tells them in the same words; a test holds it to that.
"""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """A step, in the order in which they are taken."""

    LOOK = "look"
    FENCE = "fence"
    DRAIN = "drain"
    PROMOTE = "promote"
    OPEN = "open"
    POINT = "point"
    RETIRE = "retire"
    PROTECT = "protect"
    SNAPSHOT = "snapshot"


WHAT = {
    Step.LOOK: "asks the primary and every replica how they are; chooses one, or refuses",
    Step.FENCE: "the proxy lets go of the primary; its roles lose their login, its sessions end",
    Step.DRAIN: "waits until the replica has replayed everything",
    Step.PROMOTE: "RDS makes the replica a primary of its own: the point of no return",
    Step.OPEN: "the roles get their login back, on the new primary alone; the epoch is written",
    Step.POINT: "the proxy follows the new primary; a first write through it is made",
    Step.RETIRE: "the old primary and its other replicas go into quarantine, and are kept",
    Step.PROTECT: "backups, Multi-AZ, replicas, secrets, alarms, DNS: as provision would",
    Step.SNAPSHOT: "a first snapshot of the new primary",
}
