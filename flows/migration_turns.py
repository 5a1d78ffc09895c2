"""What migrate does besides applying files: undo, baseline, repair a checksum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import Field, model_validator

from flows.endpoints import MASTER, writer_login
from flows.frame import Run
from flows.models import Parameters, PlannedStep
from haven.plan import Verb
from tasks.baseline import baseline_database
from tasks.ledger_repair import repair_checksum
from tasks.migration_undo import undo_migrations
from tasks.migration_work import Around, Terms

MOST = 9999
UNLIKE = (
    "the catalogue is not the one that stood after {}: a down file leaves something behind, or takes "
    "away what its file did not make"
)


class TurnParameters(Parameters):
    """Which of the turns besides applying files; one at a time."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Check every file against the ledger, change nothing, list what would run.",
        json_schema_extra={"position": 1},
    )
    accept_drift: str = Field(
        "",
        title="Accept drift",
        description="Take what was changed outside migrations as it is: the word that a dry run "
        "shows for exactly that, drift- and twelve digits.",
        pattern=r"^(drift-[0-9a-f]{12})?$",
        json_schema_extra={"position": 3},
    )
    to: int | None = Field(
        None,
        title="Undo to",
        description="Undo the files above this number by their down files, newest first; 0: all.",
        ge=0,
        le=MOST,
        json_schema_extra={"position": 4},
    )
    baseline: int | None = Field(
        None,
        title="Baseline",
        description="Take over a database that was migrated by other means: prove that it is what "
        "the files up to this number make, and write them into the ledger.",
        ge=1,
        le=MOST,
        json_schema_extra={"position": 5},
    )
    repair: str = Field(
        "",
        title="Repair",
        description="Name of an applied file that was edited since: the ledger takes it as it is "
        "now. Nothing of it is run.",
        json_schema_extra={"position": 6},
    )
    reason: str = Field(
        "",
        title="Reason",
        description="Why the file was edited, for the ledger's history and the evidence.",
        max_length=1000,
        json_schema_extra={"position": 7},
    )

    rehearse: bool = Field(
        False,
        title="Rehearse",
        description="Run what is pending on a clone under a small load; tell the time, locks, "
        "blocked sessions and WAL of each statement, and change nothing in the database.",
        json_schema_extra={"position": 8},
    )

    @model_validator(mode="after")
    def _one_turn(self) -> TurnParameters:
        asked = (self.to is not None, self.baseline is not None, bool(self.repair))
        if sum(asked) > 1:
            raise ValueError("to, baseline and repair are for a run each")
        if self.rehearse and (any(asked) or self.dry_run or self.accept_drift):
            raise ValueError("a rehearsal is a run of its own: give rehearse alone")
        if bool(self.repair) != bool(self.reason.strip()):
            raise ValueError("repair and reason go together")
        if self.accept_drift and (self.baseline is not None or self.repair):
            raise ValueError("accept_drift goes with applying and undoing only")
        return self


@dataclass(frozen=True, slots=True)
class Turn:
    """What was done, or would be: the steps, and how the evidence tells them."""

    steps: list[PlannedStep]
    changes: list[str]
    warnings: list[str] = field(default_factory=list)


def turn_of(
    run: Run, parameters: TurnParameters, terms: Terms, around: Around
) -> Callable[[], Turn] | None:
    """Return the turn that the parameters ask for; none where files are to be applied."""
    to, number, dry_run = parameters.to, parameters.baseline, parameters.dry_run
    if to is not None:
        return lambda: _undo(run, terms, to, parameters.accept_drift, around, dry_run=dry_run)
    if number is not None:
        return lambda: _baseline(run, terms, number, dry_run=dry_run)
    if parameters.repair:
        return lambda: _repair(run, terms, parameters.repair, parameters.reason, dry_run=dry_run)
    return None


def _undo(
    run: Run, terms: Terms, to: int, accept_drift: str, around: Around, *, dry_run: bool
) -> Turn:
    undone = undo_migrations(
        terms,
        run.settings.schema_dir,
        to,
        accept_drift=accept_drift,
        around=around,
        dry_run=dry_run,
    )
    steps = [
        _step(Verb.UNDO, name, f"it is above {to:04}", list(accepted))
        for name, accepted in zip(undone.names, undone.accepted, strict=True)
    ]
    return Turn(
        steps,
        [
            f"{Verb.UNDO} by {step.subject}" + "".join(f", accepting {h}" for h in step.hazards)
            for step in steps
        ],
        [UNLIKE.format(undone.unlike)] if undone.unlike else [],
    )


def _baseline(run: Run, terms: Terms, number: int, *, dry_run: bool) -> Turn:
    master = writer_login(run, None, MASTER, application="haven migrate")
    names = baseline_database(terms, master, run.settings.schema_dir, number, dry_run=dry_run)
    because = "to be proved in a scratch database" if dry_run else "the database is what it makes"
    return Turn(
        [_step(Verb.BASELINE, name, because) for name in names],
        [f"{Verb.BASELINE} {name}" for name in names],
    )


def _repair(run: Run, terms: Terms, name: str, reason: str, *, dry_run: bool) -> Turn:
    found = repair_checksum(terms, run.settings.schema_dir, name, reason, dry_run=dry_run)
    if found is None:
        return Turn([], [])
    step = _step(Verb.REPAIR, name, reason)
    step.changes.append(found.text)
    return Turn([step], [f"{found.text}, because: {reason}"])


def _step(verb: Verb, name: str, because: str, hazards: list[str] | None = None) -> PlannedStep:
    return PlannedStep(
        verb=verb, subject=name, because=because, changes=[], hazards=list(hazards or ())
    )
