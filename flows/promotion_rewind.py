"""Rewinding: the data are wrong, on the replicas too, so an earlier moment becomes the primary.

The moment is restored beside the stack, proved, and held against the primary: every row that would be
lost or changed back is counted by key. Then it waits, and the stack with it, until a person has
typed the name of what was restored; from there on it is a switch-over to that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from flows.endpoints import MASTER
from flows.frame import Record
from flows.logins import READER
from flows.observation import observe_stack
from flows.promotion_decision import refuse_outdated
from flows.promotion_loss import tell_lacking
from flows.promotion_models import PromoteParameters, PromoteReport
from flows.promotion_scene import Scene
from flows.verification_choice import choose_backup
from flows.verification_choice import look as look_at_backups
from flows.verification_models import VerifyParameters
from haven.errors import Conflict, Failed, InvalidRequest, Unavailable
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.stack import names
from haven.stack.database import LOGINS
from haven.stack.instance import Instance
from haven.stack.layout import RESTORED, RETIRED, Layout, Member
from haven.stack.topology import topology
from haven.verification.choice import Kind
from haven.verification.content import content_check
from haven.verification.verdict import Check, Outcome
from tasks.bootstrap import repair_password
from tasks.content import prove_content
from tasks.fence import readers_only
from tasks.master_password import set_master_password
from tasks.members import read_member
from tasks.parting import find_lacking
from tasks.restored import check_application, check_constraints, check_indexes
from tasks.restores import Origin, restore, wait_restored
from tasks.verifications import manifest_before

GIB = 1024**3


def planned(scene: Scene, parameters: PromoteParameters) -> tuple[str, str, Origin]:
    """Return the name of what would be restored, what it is, and from where. Raises ``Refused`` for a moment that the backups do not have."""
    if parameters.moment is None:
        raise InvalidRequest(
            "mode=rewind needs a moment.",
            left="Nothing was touched.",
            cure="For example: --param moment=2026-01-31T03:00:00Z.",
        )
    asked = VerifyParameters(kind=Kind.TIME, moment=parameters.moment)
    chosen = choose_backup(scene.run, look_at_backups(scene.run), asked)
    taken = {member.name for member in scene.run.sight.members}
    name = names.restored_primary(scene.run.loaded.stack, taken)
    return name, chosen.what, chosen.origin


def restored(scene: Scene, record: Record, parameters: PromoteParameters) -> tuple[Member, Mark]:
    """Restore the moment, or find it restored, and prove it."""
    run = scene.run
    member, mark = scene.marked, scene.mark
    if member is None or mark is None:
        member, mark = _restore(scene, record, parameters)
    else:
        refuse_outdated(scene)
        _refuse_other(member, mark, parameters)
    if member.role == RESTORED:
        member = _admit(scene, member)
        run.progress(f"proving {member.name}")
        _prove(scene, member, mark.moment)
    return member, mark


def _refuse_other(member: Member, mark: Mark, parameters: PromoteParameters) -> None:
    """Refuse where another promotion is under way, a rewind to another moment, or its undoing."""
    same = mark.mode is Mode.REWIND and parameters.moment in (None, mark.moment)
    if same and member.role != RETIRED:
        return
    what = f"A rewind to {mark.moment}" if mark.mode is Mode.REWIND else "A promotion"
    if same:
        what = "An abort"
    raise Conflict(
        f"{what} is under way, with {member.name}.",
        left="Nothing was touched.",
        cure="Finish it, or undo it with mode=abort.",
    )


def _restore(scene: Scene, record: Record, parameters: PromoteParameters) -> tuple[Member, Mark]:
    run = scene.run
    stack = run.loaded.stack
    name, _, origin = planned(scene, parameters)
    epoch = stack.layout.epoch + 1
    there = stack.standing(Layout(epoch, name, stack.layout.swapped))
    model = next(item for item in topology(there) if isinstance(item, Instance) and not item.source)
    mark = Mark(Mode.REWIND, epoch, datetime.now(UTC), moment=parameters.moment)
    described = replace(model, master_secret="", after=(), zone="")
    needs = [item for item in topology(there) if item.address in described.needs]
    known = {address: found.outputs for address, found in observe_stack(run, needs).items()}
    tags = names.tags(stack, RESTORED) | {names.TAG_PROMOTION: mark.text}
    record.check_lease()
    run.progress(f"restoring {name}")
    restore(run.site, described.resolve(known), origin, tags)
    member = read_member(run.site, stack.region, name)
    if member.mark != mark.text:
        raise Conflict(
            f"{name} is there already, and not of this run.",
            left="Nothing was touched.",
            cure="Find out what it is; rename it, or delete it.",
        )
    return member, mark


def _admit(scene: Scene, member: Member) -> Member:
    """Wait until it serves, and let everybody have the password that their secret says today."""
    run = scene.run
    stack = run.loaded.stack
    model = next(item for item in topology(stack) if isinstance(item, Instance))
    described = replace(model, name=member.name, region=member.region)
    found = wait_restored(run.site, described)
    if "host" not in found.outputs:
        raise Failed(
            f"{member.name} ended in {found.status}: the moment cannot be restored.",
            left=f"{scene.name} was not touched.",
            cure="Undo with mode=abort, and choose another moment.",
        )
    member = read_member(run.site, member.region, member.name)
    master = scene.login(member, MASTER, writable=True)
    set_master_password(run.site, member.region, member.name, master)
    for user in LOGINS:
        repair_password(master, scene.login(member, user, writable=True))
    return member


def _prove(scene: Scene, member: Member, moment: datetime | None) -> None:
    """Raise ``Failed`` if what was restored is not good, by all that can be said of one moment."""
    run = scene.run
    reader = scene.login(member, READER, writable=False)
    budget = round(run.loaded.stack.verification.budget_gib * GIB)
    checks: list[Check] = [
        check_constraints(reader),
        check_application(reader, scene.login(member, names.FIRST_WRITER, writable=True)),
        check_indexes(scene.login(member, MASTER, writable=True), budget),
    ]
    known = manifest_before(run.site, moment) if moment else None
    if known is not None and moment is not None:
        checks.append(content_check(prove_content(run.site, reader, known.manifest, moment)))
    wrong = [check.text for check in checks if check.outcome is Outcome.FAILED]
    if wrong:
        raise Failed(
            f"{member.name} is not good: {'; '.join(wrong)}.",
            left=f"{scene.name} was not touched.",
            cure="Undo with mode=abort, and choose another moment.",
        )


def count(scene: Scene, member: Member, mark: Mark, report: PromoteReport) -> None:
    """Count the rows of the primary that the restored one lacks, and write their keys down."""
    primary = scene.primary
    if primary is None:
        raise Unavailable(f"{scene.name} is not to be found.")
    with readers_only(scene.login(primary, MASTER, writable=True), READER):
        old, new = (scene.login(item, READER, writable=False) for item in (primary, member))
        found = find_lacking(old, new, None)
    tell_lacking(scene.run, found, mark.epoch, report)
