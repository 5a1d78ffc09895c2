"""Where a stack stands by now: which of its instances is the primary, and on which side.

The stack file names the first primary. A promotion makes another one of it, and says so on the
instance itself, in tags: what is observed decides, never a file of state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from haven.errors import Conflict

FIRST_EPOCH = 1
PRIMARY = "primary"
REPLICA = "replica"
RECOVERY_REPLICA = "dr-replica"
# What was of an earlier epoch: kept, and out of everybody's reach.
RETIRED = "retired"
# An earlier moment, restored to take the primary's place.
RESTORED = "restored"
OF_A_STACK = frozenset({PRIMARY, REPLICA, RECOVERY_REPLICA, RETIRED, RESTORED})


@dataclass(frozen=True, slots=True)
class Layout:
    """The epoch that a stack is in, and who its primary is.

    ``primary`` is an identifier, empty before the first promotion. ``swapped`` says that it is in
    the recovery region of the stack file. ``zone`` is where it stands.
    """

    epoch: int = FIRST_EPOCH
    primary: str = ""
    swapped: bool = False
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """An instance that carries the tag of a stack, as RDS describes it.

    ``source`` names what it replicates from; it is empty for what takes writes. ``mark`` says which
    promotion it is at work for, if any; ``fenced``, that nobody can write to it any more.
    """

    name: str
    region: str
    role: str
    epoch: int
    source: str
    resource_id: str
    status: str
    zone: str = ""
    instance_class: str = ""
    host: str = ""
    port: int = 0
    mark: str = ""
    fenced: bool = False


def layout_of(members: Iterable[Member], *, recovery_region: str) -> Layout | None:
    """Return where a stack stands; nothing while it has no primary.

    The highest epoch wins: the primary that a lost region still has is of an earlier one. Raises
    ``Conflict`` when two primaries are of the same.
    """
    primaries = [item for item in members if item.role == PRIMARY and not item.source]
    if not primaries:
        return None
    epoch = max(item.epoch for item in primaries)
    newest = [item for item in primaries if item.epoch == epoch]
    if len(newest) > 1:
        found = ", ".join(sorted(f"{item.name} in {item.region}" for item in newest))
        raise Conflict(
            f"Several instances are tagged as the primary of epoch {epoch}: {found}.",
            left="Nothing was touched.",
            cure="Decide which is the primary, and tag the other as haven:role=retired.",
        )
    if epoch == FIRST_EPOCH:
        return Layout()
    one = newest[0]
    return Layout(epoch, one.name, one.region == recovery_region, one.zone)


def layout_behind(members: Iterable[Member], *, recovery_region: str) -> Layout | None:
    """Return where a stack stands by the replicas alone, whose primary's region does not answer.

    A replica in another region names its source by its ARN.
    """
    far = [item for item in members if item.source.startswith("arn:")]
    newest = max(far, key=lambda item: item.epoch, default=None)
    if newest is None or newest.epoch == FIRST_EPOCH:
        return None
    parts = newest.source.split(":")
    return Layout(newest.epoch, parts[-1], parts[3] == recovery_region)


def zones_beside(zones: Sequence[str], region: str, taken: str) -> tuple[str, ...]:
    """Return zones for replicas, none of them the primary's: another letter takes its place."""
    letters = (f"{region}{letter}" for letter in "abcdef")
    free = (zone for zone in letters if zone != taken and zone not in zones)
    return tuple(next(free) if zone == taken else zone for zone in zones)
