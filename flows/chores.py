"""What housekeeping finds to do in one place: steps with what takes each, and what people are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.frame import Run
from flows.models import PlannedStep
from haven.errors import Unavailable
from haven.plan import Hazard, Verb
from haven.retention.cost import Sort


@dataclass(frozen=True, slots=True)
class Chore:
    """A step, and what takes it. ``frees`` is how many bytes of what it gives back.

    ``counted`` says that it deletes a resource: only so many are deleted in one run.
    """

    step: PlannedStep
    act: Callable[[], object]
    counted: bool = False
    frees: tuple[Sort, int] | None = None

    @property
    def deletes(self) -> bool:
        """Tell whether something is gone afterwards."""
        return Hazard.DELETES_DATA in self.step.hazards


@dataclass(slots=True)
class Finds:
    """Everything that was found: what to do, what to tell, and what somebody is woken for."""

    chores: list[Chore] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    sizes: dict[Sort, int] = field(default_factory=dict)

    def add(self, other: Finds) -> None:
        """Take other finds in."""
        self.chores += other.chores
        self.details += other.details
        self.warnings += other.warnings
        self.alarms += other.alarms
        self.kept |= other.kept
        for sort, size in other.sizes.items():
            self.sizes[sort] = self.sizes.get(sort, 0) + size


def now() -> datetime:
    """Return the moment that things are judged at."""
    return datetime.now(UTC)


def step(verb: Verb, subject: str, because: str, *hazards: Hazard) -> PlannedStep:
    """Write a step as plans show it."""
    return PlannedStep(
        verb=verb,
        subject=subject,
        because=because,
        changes=[],
        hazards=[str(hazard) for hazard in hazards],
    )


def in_each_region(run: Run, look: Callable[[str], Finds]) -> Finds:
    """Look in both regions. One that does not answer is told; nothing is concluded of it."""
    stack, finds = run.loaded.stack, Finds()
    for region in (stack.region, stack.recovery_region):
        try:
            finds.add(look(region))
        except Unavailable as error:
            finds.warnings.append(f"{region}: {error.what} Nothing there was judged.")
    return finds
