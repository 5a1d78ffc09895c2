"""A plan is a value: ordered steps, why each, what each risks, and what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from haven.errors import Refused


class Verb(StrEnum):
    """What a step does to its subject."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    APPLY = "apply"
    TAG = "tag"
    UNDO = "undo"
    BASELINE = "baseline"
    REPAIR = "repair"
    REHEARSE = "rehearse"
    ROTATE = "rotate"
    PROMOTE = "promote"


class Cost(StrEnum):
    """What changing an attribute costs the people who use the database."""

    NOTHING = "nothing"
    REBOOT = "a reboot"
    OUTAGE = "an outage"
    REPLACEMENT = "a replacement"


class Hazard(StrEnum):
    """A consequence that a person accepts by name, or the run is refused."""

    REBOOT = "reboot"
    OUTAGE = "outage"
    REPLACES = "replaces"
    DELETES_DATA = "deletes-data"


HAZARD_OF_COST = {
    Cost.REBOOT: Hazard.REBOOT,
    Cost.OUTAGE: Hazard.OUTAGE,
    Cost.REPLACEMENT: Hazard.REPLACES,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute that is not as wanted."""

    attribute: str
    wanted: str
    found: str
    cost: Cost = Cost.NOTHING

    def sentence(self) -> str:
        """Say it the way reports and plans print it."""
        return (
            f"{self.attribute}: wanted {self.wanted}, found {self.found}; "
            f"changing it costs {self.cost}"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One change to one subject, after everything it needs."""

    verb: Verb
    subject: str
    because: str
    changes: tuple[Change, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order that satisfies every need, and a fingerprint of what was observed."""

    steps: tuple[Step, ...]
    fingerprint: str

    @property
    def hazards(self) -> frozenset[Hazard]:
        """Every hazard of every step."""
        return frozenset(hazard for step in self.steps for hazard in step.hazards)


def fingerprint(observed: object) -> str:
    """Return the SHA-256 of a JSON-ready observation in canonical form."""
    text = json.dumps(observed, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Sort steps so that each comes after what it needs, keeping the given order otherwise.

    Needs outside the plan are already satisfied. Raises ``ValueError`` on a circle.
    """
    waiting = list(steps)
    subjects = {step.subject for step in waiting}
    done: set[str] = set()
    ordered: list[Step] = []
    while waiting:
        ready = [step for step in waiting if done.issuperset(subjects.intersection(step.needs))]
        if not ready:
            circle = ", ".join(step.subject for step in waiting)
            raise ValueError(f"these need each other: {circle}")
        ordered += ready
        done.update(step.subject for step in ready)
        waiting = [step for step in waiting if step.subject not in done]
    return tuple(ordered)


def gate(plan: Plan, accepted: Sequence[Hazard]) -> None:
    """Refuse a plan with a hazard that was not accepted by name.

    A replacement is never accepted here: it would lose what the resource holds.
    """
    for step in plan.steps:
        for hazard in step.hazards:
            if hazard is Hazard.REPLACES:
                raise Refused(
                    f"{step.subject} would have to be replaced "
                    f"({'; '.join(change.sentence() for change in step.changes)}).",
                    left="Nothing was touched.",
                    cure="Put the stack file back to what exists; or, if what it holds may go, delete "
                    "it by hand and run again.",
                )
            if hazard not in accepted:
                raise Refused(
                    f"{step.subject} needs the hazard '{hazard}' "
                    f"({'; '.join(change.sentence() for change in step.changes)}).",
                    left="Nothing was touched.",
                    cure=f"Accept it by name: --param accept={hazard}.",
                )
