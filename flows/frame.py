"""The frame around every operation: identity, lock, evidence.

An operation observes, decides, gates, acts and proves inside it. A dry run takes no lock and
leaves no evidence. An operation with a lock of its own, in the database, needs not the stack's.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from flows.graph import gather
from haven.aws import Cloud, Journal, at_step, aws_error
from haven.errors import Conflict, HavenError, InvalidRequest, Unavailable
from haven.lease import Holder, Lease, held_lease
from haven.settings import Settings, load_settings, running_local_cloud
from haven.stack import names
from haven.stack.bucket import Bucket
from haven.stack.files import LoadedStack, load_stack
from haven.stack.layout import PRIMARY, Layout, Member, layout_behind, layout_of
from haven.stack.model import Stack
from haven.stack.topology import topology
from tasks.buckets import make_bucket
from tasks.evidence import append_evidence
from tasks.identity import check_identity
from tasks.members import look_at_members
from tasks.site import Site

Progress = Callable[[str], None]


def _publish_nowhere(_record: Mapping[str, Any]) -> None:
    """Outside Prefect, the record in the evidence bucket is all there is."""


# Who shows a run's record to people; set by whoever runs the operation.
PUBLISH: ContextVar[Callable[[Mapping[str, Any]], None]] = ContextVar(
    "haven_publish", default=_publish_nowhere
)


def quiet(_message: str) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The instances of the stack as a run found them, and the regions that did not answer."""

    members: tuple[Member, ...] = ()
    unseen: Mapping[str, HavenError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an operation on a stack: where, for whom, and who hears of progress."""

    site: Site
    loaded: LoadedStack
    caller: str
    sight: Sight
    progress: Progress = quiet

    @property
    def settings(self) -> Settings:
        """The settings of this run."""
        return self.site.cloud.settings

    @property
    def journal(self) -> Journal:
        """Every AWS call of this run, lock and evidence left out."""
        return self.site.cloud.journal

    def at(self, layout: Layout) -> Run:
        """Return the same run on the stack as it stands in a layout."""
        stack = self.loaded.stack.standing(layout)
        loaded = replace(self.loaded, stack=stack)
        return replace(self, site=replace(self.site, stack=stack), loaded=loaded)

    def refuse_unsettled(self) -> None:
        """Refuse where nobody can say which instance is the primary, or that is being changed."""
        if self.sight.unseen and not any(item.role == PRIMARY for item in self.sight.members):
            raise next(iter(self.sight.unseen.values()))
        marked = next((item for item in self.sight.members if item.mark), None)
        if marked is not None:
            raise Conflict(
                f"A promotion of {marked.name} is under way ({marked.mark}).",
                left="Nothing was touched.",
                cure="Run promote-replica again, which finishes it; or, with mode=abort, undoes it.",
            )


@dataclass(slots=True)
class Record:
    """What evidence will say of a run; filled as it goes, written at its end."""

    operation: str
    parameters: dict[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    who: str = ""
    lease: Lease | None = None

    def check_lease(self) -> None:
        """Raise ``Unavailable`` once somebody else may hold the stack's lock."""
        if self.lease is not None:
            self.lease.check()

    def confirm_lease(self) -> None:
        """As ``check_lease``, asking S3 itself: before what cannot be taken back."""
        if self.lease is not None:
            self.lease.confirm()


def open_run(settings: Settings | None = None, progress: Progress = quiet) -> Run:
    """Prepare a run: settings from the environment unless given, the stack from its file.

    The stack is taken as it stands by now: the instances' own tags say which is the primary.
    """
    loaded_settings = running_local_cloud(settings or load_settings())
    loaded = load_stack(loaded_settings.stack, loaded_settings.stacks_dir)
    site = Site(loaded.stack, Cloud(loaded_settings))
    caller = _identify(site)
    sight = look_around(site.cloud.separate(), loaded.stack)
    away = loaded.stack.recovery_region
    layout = layout_of(sight.members, recovery_region=away)
    if layout is None and sight.unseen:
        layout = layout_behind(sight.members, recovery_region=away)
    site = replace(site, unseen=frozenset(sight.unseen))
    return Run(site, loaded, caller, sight, progress).at(layout or Layout())


def _identify(site: Site) -> str:
    """Ask who we are; where the home region does not answer, the other one."""
    try:
        return check_identity(site, site.stack.region)
    except Unavailable as error:
        try:
            return check_identity(site, site.stack.recovery_region)
        except Unavailable:
            raise error from None


def look_around(cloud: Cloud, stack: Stack) -> Sight:
    """Look for the instances of a stack in both of its regions; one may not answer."""
    looks = {
        region: partial(_look, cloud, stack, region)
        for region in (stack.region, stack.recovery_region)
    }
    answers: dict[str, tuple[Member, ...] | HavenError] = gather(looks, workers=len(looks))
    members: tuple[Member, ...] = ()
    unseen: dict[str, HavenError] = {}
    for region, answer in answers.items():
        if isinstance(answer, HavenError):
            unseen[region] = answer
        else:
            members += answer
    return Sight(members, unseen)


def _look(cloud: Cloud, stack: Stack, region: str) -> tuple[Member, ...] | HavenError:
    try:
        return look_at_members(cloud, stack, region)
    except InvalidRequest:
        # It has answered: what it says is wrong.
        raise
    except HavenError as error:
        return error


def who_we_are(run: Run) -> str:
    """Return how this process signs what it writes, as what AWS takes it for."""
    # The short parts first: where a database shows it, it is cut after 63 bytes.
    return f"pid {os.getpid()} of {_user()}@{socket.gethostname()}, {run.caller}"


@contextmanager
def operation(
    run: Run,
    name: str,
    parameters: dict[str, Any],
    *,
    dry_run: bool,
    lock: bool = True,
    promotes: bool = False,
    by_force: Callable[[], object] | None = None,
) -> Iterator[Record]:
    """Hold an operation's frame for a block; without ``lock`` it guards itself.

    One that ``promotes`` goes on where a promotion is under way, or nobody can say which instance
    is the primary. ``by_force`` takes the lock from whoever holds it, unless it raises. Raises ``Conflict`` when
    another operation holds the stack's lock, or has changed who is the primary since this run looked.
    """
    if not promotes:
        run.refuse_unsettled()
    record = Record(name, parameters)
    record.who = who_we_are(run)
    if dry_run:
        yield record
        return
    beside = run.site.cloud.separate()
    with _locked(run, beside, record, by_force) if lock else nullcontext() as lease:
        record.lease = lease
        started = _now()
        try:
            if lease is not None:
                _refuse_moved(run, beside)
            yield record
        except BaseException as error:
            _write(run, beside, record, started, error)
            raise
        _write(run, beside, record, started, None)


def _refuse_moved(run: Run, beside: Cloud) -> None:
    """Refuse to act on what another run has changed after this one looked, before it had the lock."""
    now = look_around(beside, run.loaded.stack)
    unseen = run.sight.unseen.keys() | now.unseen.keys()
    if _leading(run.sight, unseen) != _leading(now, unseen):
        raise Conflict(
            "Another run has promoted an instance, or begun or undone it, while this one began.",
            left="Nothing was touched.",
            cure="Run the same command again: it looks anew.",
        )


def _leading(sight: Sight, unseen: Collection[str]) -> set[tuple[str, str, int, str]]:
    """Return who takes writes or is to, in the regions that both looks have seen."""
    return {
        (item.region, item.name, item.epoch, item.mark)
        for item in sight.members
        if item.region not in unseen and ((item.role == PRIMARY and not item.source) or item.mark)
    }


@contextmanager
def _locked(
    run: Run, beside: Cloud, record: Record, by_force: Callable[[], object] | None
) -> Iterator[Lease]:
    stack = run.loaded.stack
    s3 = beside.client("s3", stack.region)
    bucket = names.bucket(stack, "state")
    holder = Holder(record.who, record.operation, _now(), run.settings.lock_lease, 0)
    try:
        _make_state_bucket(Site(stack, beside), s3, bucket)
        with held_lease(s3, bucket, holder, by_force=by_force) as lease:
            yield lease
    except (ClientError, BotoCoreError) as error:
        raise aws_error(error, f"the lock in {bucket}") from error


def _make_state_bucket(site: Site, s3: Any, name: str) -> None:
    """The lock comes before everything, so its bucket is made before the first provision."""
    try:
        # HeadBucket asks the same, but its answer has no body to say what a 403 is about.
        s3.list_objects_v2(Bucket=name, MaxKeys=1)
    except s3.exceptions.NoSuchBucket:
        wanted = next(
            item for item in topology(site.stack) if isinstance(item, Bucket) and item.name == name
        )
        make_bucket(site, wanted)


def _write(
    run: Run,
    beside: Cloud,
    record: Record,
    started: str,
    error: BaseException | None,
) -> None:
    body = {
        "operation": record.operation,
        "stack": run.loaded.stack.prefix,
        "stack_digest": run.loaded.digest,
        "who": record.who,
        "epoch": record.lease.epoch if record.lease else 0,
        "parameters": record.parameters,
        "started": started,
        "finished": _now(),
        "outcome": _outcome(error),
        "error": str(error) if isinstance(error, HavenError) else "",
        "figures": record.figures,
        "changes": record.changes,
        "facts": record.facts,
        "requests": [
            f"{call.service}:{call.operation}:{call.region}:{call.request_id}"
            for call in run.journal.calls
            if call.mutating
        ],
    }
    # Without a name it would take itself for what made the state's bucket, and wait for its own.
    with at_step("evidence"):
        record.key = append_evidence(beside, run.loaded.stack, body)
    PUBLISH.get()(body)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "succeeded"
    return error.kind if isinstance(error, HavenError) else type(error).__name__


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
