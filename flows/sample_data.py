"""Loading generated people into a stack's database, so that everything later runs on real rows."""

from __future__ import annotations

import time

from pydantic import Field

from flows.endpoints import writer_login
from flows.frame import Run, operation
from flows.models import Report
from tasks.sample_data import load_sample_data

NOUNS = {
    "patients": "patients",
    "patient_grants": "grants",
    "health_records": "records",
    "verifications": "verifications",
    "sync_queue": "sync items",
    "access_logs": "access-log rows",
}
MIGRATOR = "haven_migrator"


class SampleDataReport(Report):
    """What a load of sample data added."""

    tables: dict[str, int] = Field(
        default_factory=dict, description="Rows that were new, by table."
    )

    @property
    def summary(self) -> str:
        """The same in one line."""
        added = [f"{count:,} {NOUNS[name]}" for name, count in self.tables.items() if count]
        return ", ".join(added) or "nothing new"


def load(run: Run, *, patients: int, seed: int) -> SampleDataReport:
    """Load the sample set of a seed; loading it again adds nothing."""
    begin = time.monotonic()
    parameters = {"patients": patients, "seed": seed}
    with operation(run, "sample_data", parameters, dry_run=False) as record:
        login = writer_login(run, None, MIGRATOR)
        run.progress(f"generating and loading {patients:,} patients")
        tables = load_sample_data(login, patients=patients, seed=seed)
        record.figures = {f"rows of {name}": count for name, count in tables.items()}
    return SampleDataReport(
        operation="sample_data",
        stack=run.loaded.stack.prefix,
        dry_run=False,
        tables=tables,
        aws_reads=run.journal.reads,
        aws_writes=run.journal.writes,
        seconds=round(time.monotonic() - begin, 3),
        evidence=record.key,
    )
