"""A whole sample set: what is drawn for one patient never depends on how many there are."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from uuid import UUID

from haven.sample_data import care, people
from haven.sample_data.rows import Table

GRANTED = 0.15
QUEUED = 0.1
_MARK = "sample-data seed"


def mark(seed: int, until: datetime) -> str:
    """Return what rows of a set carry as their source: seed, and the time they lead up to."""
    return f"{_MARK} {seed} until {until.isoformat()}"


def marked_until(source: str) -> datetime:
    """Read the time out of a mark; a set that is loaded again must have the same."""
    return datetime.fromisoformat(source.rsplit(" ", 1)[-1]).astimezone(UTC)


def first_patient(seed: int) -> UUID:
    """Return the key of a set's first patient, whatever time the set leads up to."""
    until = datetime(2000, 1, 1, tzinfo=UTC)
    key: UUID = people.patient(_random(seed, 0), seed, 0, "", until)["id"]
    return key


def generate(patients: int, seed: int, until: datetime) -> list[Table]:
    """Generate a set, its tables in an order in which they can be loaded."""
    tables = {
        name: Table("audit" if name == "access_logs" else "haven_health", name)
        for name in (
            "patients",
            "patient_grants",
            "health_records",
            "verifications",
            "sync_queue",
            "access_logs",
        )
    }
    source = mark(seed, until)
    for number in range(patients):
        random = _random(seed, number)
        person = people.patient(random, seed, number, source, until)
        tables["patients"].rows.append(person)
        if random.random() < GRANTED:
            tables["patient_grants"].rows.append(people.grant(random, seed, person))
        tables["health_records"].rows += care.records(random, person, until)
        tables["verifications"].rows += care.verifications(random, person)
        tables["access_logs"].rows += care.accesses(random, person, until)
        if random.random() < QUEUED:
            tables["sync_queue"].rows.append(care.queued(random, seed, person, until))
    return list(tables.values())


def _random(seed: int, number: int) -> Random:
    """Make the generator of one patient. Nothing secret comes from it."""
    return Random(f"{seed}/{number}")  # noqa: S311  # not for secrets
