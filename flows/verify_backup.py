"""Verify a backup: restore it, prove its content against a manifest, measure, and remove the copy.

Nothing of the stack is changed. Every run also takes a manifest of what the database holds now, which
later runs hold their backups against.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from flows.endpoints import MASTER
from flows.frame import Record, Run, operation
from flows.models import PlannedStep, as_parameters
from flows.scratch_copy import Copy, Wish, leftovers, remove_leftovers, scratch_copy
from flows.tool import tool_version
from flows.verification_choice import Chosen, Scene, choose_backup, look, wait_for_backup
from flows.verification_conclusion import Seen, conclude
from flows.verification_models import VerifyParameters, VerifyReport
from haven.plan import Verb
from haven.verification.choice import Kind
from haven.verification.content import Proven, content_check
from haven.verification.fingerprint import FORM, STRONG_FORM
from haven.verification.manifest import Manifest
from haven.verification.share import UNREADABLE, Share, choose
from haven.verification.timing import Shown, freshness_check
from haven.verification.verdict import failed, version_check
from tasks.content import prove_content
from tasks.manifests import Taken, look_at_relations, take_manifest
from tasks.restored import (
    check_application,
    check_catalogue,
    check_constraints,
    check_indexes,
    check_ledger,
    check_sequences,
    read_copy,
    read_source_catalogue,
)
from tasks.verifications import last_verification, manifest_before, read_known_catalogue

GIB = 1024**3


def verify_backup(run: Run, parameters: VerifyParameters) -> VerifyReport:
    """Verify one backup. Raises ``Failed`` when it is not good, after that is written down."""
    begin = time.monotonic()
    with operation(
        run, "verify-backup", as_parameters(parameters), dry_run=parameters.dry_run
    ) as record:
        report = VerifyReport(
            operation="verify-backup",
            stack=run.loaded.stack.prefix,
            dry_run=parameters.dry_run,
            kind=parameters.kind,
        )
        _verify(run, record, parameters, report)
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    return report


def _verify(run: Run, record: Record, parameters: VerifyParameters, report: VerifyReport) -> None:
    run.progress("looking at the stack and its backups")
    scene = look(run)
    chosen = choose_backup(run, scene, parameters)
    old = leftovers(run)
    report.backup = chosen.backup
    report.steps = [
        *(_step(Verb.DELETE, found.name, "an earlier run left it") for _, found in old),
        _step(Verb.CREATE, "manifest", f"what {scene.reader.instance} holds now"),
        _step(Verb.CREATE, "scratch copy", f"of {chosen.what}"),
    ]
    if parameters.dry_run:
        return
    record.changes = [f"{step.verb} {step.subject}" for step in report.steps]
    remove_leftovers(run, old)
    taken = _take_manifest(run, scene, parameters, report)
    chosen = wait_for_backup(run, scene, chosen, taken.manifest)
    wanted = _wanted(run, chosen, taken)
    seen = _restore_and_look(run, record, parameters, chosen, wanted, scene, report)
    conclude(run, record, report, chosen, wanted, seen)


def _step(verb: Verb, subject: str, because: str) -> PlannedStep:
    return PlannedStep(verb=verb, subject=subject, because=because, changes=[], hazards=[])


def _take_manifest(
    run: Run, scene: Scene, parameters: VerifyParameters, report: VerifyReport
) -> Taken:
    source = scene.source(tool_version())
    form = STRONG_FORM if parameters.strong else FORM
    relations, snapshot = look_at_relations(source, form)
    last = last_verification(run.site)
    budget = 0 if parameters.everything else round(run.loaded.stack.verification.budget_gib * GIB)
    share: Share = choose(relations, last.proven if last else {}, budget, snapshot.moment)
    whole = sum(item.size for item in relations) or 1
    report.share = round(min(1.0, sum(unit.bytes for unit in share.units) / whole), 4)
    report.not_read = dict(share.left)
    report.warnings += [f"not proven for over a month: {name}" for name in share.late]
    unread = [name for name, reason in share.left.items() if reason == UNREADABLE]
    report.warnings += [f"haven_reader may not read {name}: it is not proven" for name in unread]
    run.progress(f"taking a manifest of {scene.reader.instance}")
    before = manifest_before(run.site, snapshot.moment)
    return take_manifest(run.site, source, share, before.manifest if before else None)


def _wanted(run: Run, chosen: Chosen, taken: Taken) -> Taken | None:
    """Return the manifest to hold the copy against: the newest from before the moment it shows."""
    if chosen.kind in (Kind.LATEST, Kind.RECOVERY):
        return taken
    return manifest_before(run.site, chosen.shows)


def _restore_and_look(
    run: Run,
    record: Record,
    parameters: VerifyParameters,
    chosen: Chosen,
    wanted: Taken | None,
    scene: Scene,
    report: VerifyReport,
) -> Seen:
    keep = timedelta(hours=parameters.keep_hours)
    wish = Wish(chosen.origin, chosen.recovery, datetime.now(UTC) + keep if keep else None)
    with scratch_copy(run, record, wish) as copy:
        report.kept = copy.name if keep else ""
        run.progress("proving what it holds")
        record.check_lease()
        return _look_into(run, copy, chosen, wanted.manifest if wanted else None, scene)


def _look_into(run: Run, copy: Copy, chosen: Chosen, wanted: Manifest | None, scene: Scene) -> Seen:
    if copy.broken:
        return Seen(None, [failed("restore", f"it ended in {copy.broken}")], [], copy.seconds)
    reader, stack = copy.logins["haven_reader"], run.loaded.stack
    read = read_copy(reader, stack.prefix)
    proven: list[Proven] = []
    heart = stack.heartbeat
    shown = Shown(chosen.shows, chosen.exact, heart.interval_seconds, heart.limit_seconds)
    checks = [
        version_check(copy.version, scene.version),
        freshness_check(read.pulse, scene.pulse, shown),
    ]
    if wanted is not None:
        proven = prove_content(run.site, reader, wanted, chosen.until)
        known = read_known_catalogue(run.site, wanted)
        now = read_source_catalogue(scene.reader.login)
        checks += [
            content_check(proven),
            check_catalogue(known, read.catalogue, now),
            check_ledger(wanted, read),
        ]
    checks += [
        check_constraints(reader),
        check_sequences(copy.logins["haven_migrator"], reader),
        check_application(reader, copy.logins["haven_app_a"]),
        check_indexes(copy.logins[MASTER], round(stack.verification.budget_gib * GIB)),
    ]
    return Seen(read, checks, proven, copy.seconds)
