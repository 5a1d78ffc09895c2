"""The months of the access log: which partition is made, guarded, detached or dropped, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from haven.retention.proof import Proofs
from haven.stack.housekeeping import Housekeeping

SCHEMA = "audit"
_NAME = re.compile(r"access_logs_(\d{4})_(\d{2})")
_MONTHS = 12
# Rows that find no partition are refused: the month after this one has to be there, too.
NEEDED_AHEAD = 1


class Act(StrEnum):
    """What is done to a partition."""

    MAKE = "make"
    GUARD = "guard"
    FINISH = "finish detaching"
    DETACH = "detach"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Month:
    """A month, UTC, of the access log."""

    year: int
    number: int

    @property
    def name(self) -> str:
        """The name of its partition."""
        return f"access_logs_{self.year:04}_{self.number:02}"

    @property
    def first(self) -> datetime:
        """When it begins."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """When the next one begins."""
        return self.after(1).first

    def after(self, months: int) -> Month:
        """Return the month so many months later."""
        year, month = divmod(self.year * _MONTHS + self.number - 1 + months, _MONTHS)
        return Month(year, month + 1)


def month_at(moment: datetime) -> Month:
    """Return the month of a moment."""
    day = moment.astimezone(UTC)
    return Month(day.year, day.month)


def month_of(name: str) -> Month | None:
    """Return the month that a partition is of by its name."""
    match = _NAME.fullmatch(name)
    if match is None or not 1 <= int(match[2]) <= _MONTHS:
        return None
    return Month(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the access log, or a table that was one.

    ``pending`` says that its detaching was cut off; ``missing`` names the guards that it lacks.
    """

    name: str
    attached: bool
    bounds: tuple[datetime, datetime] | None = None
    pending: bool = False
    missing: tuple[str, ...] = ()
    bytes: int = 0

    @property
    def relation(self) -> str:
        """Its name with its schema."""
        return f"{SCHEMA}.{self.name}"

    @property
    def fits(self) -> bool:
        """Tell whether it is what its name says; a detached one has no bounds any more."""
        month = month_of(self.name)
        return month is not None and (
            self.bounds is None or self.bounds == (month.first, month.end)
        )


@dataclass(frozen=True, slots=True)
class Log:
    """The access log as it was found; ``default`` names a default partition."""

    partitions: tuple[Partition, ...]
    default: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done to a month's partition, and why."""

    act: Act
    month: Month
    because: str

    @property
    def address(self) -> str:
        """What plans call it."""
        return f"partition/{SCHEMA}.{self.month.name}"


def due(log: Log, proofs: Proofs, rules: Housekeeping, now: datetime) -> list[Due]:
    """Return what is due: first what is missing, then the guards, then what goes, by age."""
    there = {one.name for one in log.partitions}
    wanted = [month_at(now).after(ahead) for ahead in range(rules.audit_months_ahead + 1)]
    made = [
        Due(Act.MAKE, month, _why_made(month, now)) for month in wanted if month.name not in there
    ]
    known = sorted((one for one in log.partitions if one.fits), key=lambda one: one.name)
    found = [step for one in known for step in _steps(one, proofs, rules, now)]
    order = list(Act)
    return [*made, *sorted(found, key=lambda step: order.index(step.act))]


def waiting(log: Log, proofs: Proofs) -> list[Partition]:
    """Return what was detached and stays until an export of it is proven."""
    return [
        one
        for one in log.partitions
        if one.fits and not one.attached and one.relation not in proofs
    ]


def troubles(log: Log, now: datetime) -> Iterator[str]:
    """Yield what somebody has to be woken for: rows of patients' accesses may be refused."""
    attached = {one.name for one in log.partitions if one.attached and not one.pending}
    for ahead in range(NEEDED_AHEAD + 1):
        month = month_at(now).after(ahead)
        if month.name not in attached:
            yield f"the access log has no partition for {month.year}-{month.number:02}"
    if log.default:
        yield f"the access log has a default partition, {log.default}, which hides missing months"
    for one in log.partitions:
        if not one.fits:
            yield f"{one.relation} is a partition of the access log, but not of the month it names"


def _why_made(month: Month, now: datetime) -> str:
    ahead = (month.first - now).days
    return f"it begins in {ahead} days" if ahead >= 0 else "the month has begun without it"


def _steps(one: Partition, proofs: Proofs, rules: Housekeeping, now: datetime) -> Iterator[Due]:
    month = month_of(one.name)
    if month is None:
        return
    if one.missing:
        yield Due(Act.GUARD, month, f"it lacks {', '.join(one.missing)}")
    if one.pending:
        yield Due(Act.FINISH, month, "its detaching was cut off")
    elif now - month.end < timedelta(days=rules.audit_log_days):
        return
    elif one.attached:
        yield Due(Act.DETACH, month, f"its last row is over {rules.audit_log_days} days old")
    elif one.relation in proofs:
        yield Due(Act.DROP, month, f"its export is proven: {proofs[one.relation].manifest}")
