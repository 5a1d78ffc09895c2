"""Diagnose: what is wrong with the database and its instances, each with the command that cures it.

It only reads: it holds no lock, changes nothing and leaves no evidence.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial

from pydantic import BaseModel, Field

from flows import chores
from flows.endpoints import MASTER, Observed, home_instances, writer, writer_logins
from flows.frame import Run
from flows.graph import gather
from flows.logins import replica_logins
from flows.models import Parameters, Report
from haven.diagnosis import server, storage, tables
from haven.diagnosis.findings import Finding, Limits, Trouble, in_order
from haven.diagnosis.statements import Statement
from haven.diagnosis.tables import Usage
from haven.errors import Failed, Unavailable
from haven.pg import Login
from haven.stack.instance import Instance
from haven.stack.topology import topology
from tasks.diagnosis import ServerFacts, read_numbers, read_server, read_usage
from tasks.identity import check_identity
from tasks.instance_health import Health, read_health
from tasks.instances import observe_instances

APPLICATION = "haven diagnose"
MIGRATOR, READER = "haven_migrator", "haven_reader"
USUAL = Limits()


class DiagnoseParameters(Parameters):
    """How a diagnosis ends."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Nothing is changed in either case.",
        json_schema_extra={"position": 1},
    )
    fail_when_urgent: bool = Field(
        False,
        title="Fail when urgent",
        description="End with an error when a finding becomes an outage if nobody acts; so a "
        "schedule alarms.",
        json_schema_extra={"position": 2},
    )


class DiagnoseFinding(BaseModel):
    """One thing that is wrong."""

    trouble: Trouble
    subject: str
    text: str
    cure: str = Field(description="The command that cures it.")
    urgent: bool = Field(description="It becomes an outage when nobody acts.")

    @property
    def line(self) -> str:
        """Say it on a line."""
        mark = "URGENT " if self.urgent else ""
        return f"{mark}{self.trouble} {self.subject}: {self.text}. Cure: {self.cure}"


class TopStatement(BaseModel):
    """A statement by how much of the server's time it took; constants are masked."""

    id: int = Field(description="queryid of pg_stat_statements.")
    calls: int
    total_ms: float
    mean_ms: float
    share: float = Field(description="Part of all statements' time, from 0 to 1.")
    text: str

    @property
    def line(self) -> str:
        """Say it on a line."""
        return (
            f"{self.share:.0%} of the time: {self.calls:,} calls of {self.mean_ms:,.1f} ms, "
            f"{self.id}: {self.text}"
        )


class DiagnoseReport(Report):
    """What is wrong, and what takes the server's time."""

    findings: list[DiagnoseFinding] = Field(default_factory=list)
    statements: list[TopStatement] = Field(default_factory=list)


@dataclass(slots=True)
class Diagnosis:
    """What was found, what takes the time, and what could not be looked at."""

    findings: list[Finding] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[DiagnoseFinding]:
        """The findings as reports have them, what is urgent first."""
        return [
            DiagnoseFinding(
                trouble=one.trouble,
                subject=one.subject,
                text=one.text,
                cure=one.cure,
                urgent=one.urgent,
            )
            for one in in_order(self.findings)
        ]


def diagnose(run: Run, parameters: DiagnoseParameters, limits: Limits = USUAL) -> DiagnoseReport:
    """Look at everything, and say what is wrong. Changes nothing.

    Raises ``Failed`` when something is urgent and the parameters ask for it.
    """
    begin = time.monotonic()
    check_identity(run.site, run.loaded.stack.region)
    found = look(run, home_instances(run), limits)
    report = DiagnoseReport(
        operation="diagnose",
        stack=run.loaded.stack.prefix,
        dry_run=parameters.dry_run,
        findings=found.told,
        statements=[_statement(one) for one in found.statements],
        warnings=found.unread,
    )
    report.details = [
        *(one.line for one in report.findings),
        *(one.line for one in report.statements),
    ]
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    urgent = [one for one in report.findings if one.urgent]
    if urgent and parameters.fail_when_urgent:
        raise Failed(
            f"{report.stack}: {'; '.join(f'{one.subject}: {one.text}' for one in urgent)}.",
            left="Nothing was changed.",
            cure=f"{urgent[0].cure}. Run diagnose for all of it.",
        )
    return report


def look(run: Run, home: Observed, limits: Limits = USUAL) -> Diagnosis:
    """Look into the database, and at the instances of both regions."""
    found = Diagnosis()
    _look_into_database(run, home, limits, found)
    run.progress("looking at the instances")
    stack, now = run.loaded.stack, chores.now()
    for region in (stack.region, stack.recovery_region):
        try:
            health: Health = read_health(run.site, region, now)
        except Unavailable as error:
            found.unread.append(f"{region}: {error.what} Its instances were not looked at.")
            continue
        found.findings += storage.storage(health.volumes, limits, now)
        found.findings += storage.certificates(health.certificates, limits, now)
    return found


def _look_into_database(run: Run, home: Observed, limits: Limits, found: Diagnosis) -> None:
    run.progress("looking into the database")
    logins = writer_logins(run, home, [MASTER, MIGRATOR, READER], application=APPLICATION)
    facts: ServerFacts = read_server(logins[MASTER], limits)
    numbers = read_numbers(logins[MIGRATOR])
    usages, silent = _usages(run, home, logins[READER])
    found.statements += facts.statements
    found.unread += [f"not measured: {text}" for text in facts.unread]
    found.unread += [f"{name} did not answer: unused indexes are not told" for name in silent]
    found.findings += [
        *tables.bloat(facts.waste, limits),
        *tables.dead_rows(facts.tables, limits),
        *tables.wraparound(facts.tables, limits),
        *tables.unused(facts.indexes, usages, silent, limits, chores.now()),
        *tables.duplicates(facts.indexes),
        *server.sequences(numbers, limits),
        *server.slots(facts.slots, limits),
        *server.connections(facts.load, limits),
    ]


def _usages(run: Run, home: Observed, reader: Login) -> tuple[list[Usage], list[str]]:
    """Ask every server how often it used each index; return who was silent, too."""
    stack, silent = run.loaded.stack, []
    wanted = [
        item
        for item in topology(stack)
        if isinstance(item, Instance) and item.region == stack.recovery_region
    ]
    away: Observed = {}
    try:
        away = observe_instances(run.site, stack.recovery_region, wanted)
    except Unavailable:
        silent.append(stack.recovery_region)
    replicas = replica_logins(run, {**home, **away}, application=APPLICATION)
    logins = {writer(run, home).resource.name: reader, **replicas}
    answers = gather(
        {name: partial(_usage, name, login) for name, login in logins.items()},
        workers=run.settings.parallel,
    )
    silent += [name for name, one in answers.items() if one is None]
    return [one for one in answers.values() if one is not None], silent


def _usage(name: str, login: Login) -> Usage | None:
    try:
        return read_usage(name, login)
    except Unavailable:
        return None


def _statement(one: Statement) -> TopStatement:
    return TopStatement(
        id=one.id,
        calls=one.calls,
        total_ms=round(one.total_ms, 3),
        mean_ms=round(one.mean_ms, 3),
        share=round(one.share, 4),
        text=one.text,
    )
