"""A backup restored to an instance of its own, for as long as a block of code needs it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from flows.endpoints import MASTER
from flows.frame import Record, Run
from flows.observation import observe_stack
from flows.promotion_proxy import proxy_of
from haven.errors import HavenError
from haven.pg import Login
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.resource import Found
from haven.stack.scratch import scratch
from haven.stack.topology import topology
from haven.verification.guard import ROLE, TAG_KEEP, TAG_RUN, Candidate, Made, is_kept, scratch_name
from tasks.bootstrap import repair_password
from tasks.drills import keep_backups, leftover_proxies
from tasks.master_password import set_master_password
from tasks.proxies import delete_proxy
from tasks.restores import (
    BROKEN,
    Origin,
    delete_scratch,
    observe_candidates,
    restore,
    wait_restored,
)

APPLICATION = "haven verify"
PASSWORD_BYTES = 24
# Who logs in to a copy besides the master, each with a password that nobody keeps.
USERS = ("haven_reader", "haven_migrator", "haven_app_a")


@dataclass(frozen=True, slots=True)
class Copy:
    """A restored copy: logins by role, its version, and how long it took to get there.

    ``broken`` is the status that the restore ended in instead; then nobody can log in.
    """

    name: str
    seconds: float
    version: str
    broken: str = ""
    logins: Mapping[str, Login] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be restored where, and until when somebody wants to keep it."""

    origin: Origin
    recovery: bool
    keep_until: datetime | None = None


def leftovers(run: Run) -> list[tuple[str, Candidate]]:
    """Return the copies, with their regions, that killed runs left and nobody wants to keep."""
    stack = run.loaded.stack
    return [
        (region, found)
        for region in (stack.region, stack.recovery_region)
        for found in observe_candidates(run.site, region)
        if not is_kept(found, datetime.now(UTC))
    ]


def remove_leftovers(run: Run, found: Sequence[tuple[str, Candidate]]) -> list[str]:
    """Delete what killed runs left; return the names. Raises ``Refused`` for what is none of it.

    Drills leave copies of copies, with backups, and proxies to them.
    """
    stack = run.loaded.stack
    for proxy in leftover_proxies(run.site, proxy_of(run)) if found else ():
        delete_proxy(run.site, Found(proxy, ""))
    for region, one in sorted(found, key=lambda item: not item[1].source):
        run.progress(f"removing {one.name}, which an earlier run left")
        if one.backup_days:
            keep_backups(run.site, region, one.name, days=0)
        described = scratch(stack, one.name, recovery=region == stack.recovery_region)
        delete_scratch(run.site, described, Made(one.name, region, one.resource_id))
    return [one.name for _, one in found]


@contextmanager
def scratch_copy(run: Run, record: Record, wish: Wish) -> Iterator[Copy]:
    """Hold a restored copy for a block. It is gone afterwards, unless it is to be kept."""
    stack = run.loaded.stack
    name = scratch_name(stack, secrets.token_hex(4))
    described = scratch(stack, name, recovery=wish.recovery)
    needs = [item for item in topology(stack) if item.address in described.needs]
    known = {address: found.outputs for address, found in observe_stack(run, needs).items()}
    instance = described.resolve(known)
    record.check_lease()
    run.progress(f"restoring to {name}")
    made = restore(run.site, instance, wish.origin, _tags(run, record, wish))
    try:
        yield _enter(run, instance)
    except BaseException as error:
        _remove_after(run, instance, made, error)
        raise
    if wish.keep_until is None:
        run.progress(f"removing {name}")
        delete_scratch(run.site, instance, made)


def _tags(run: Run, record: Record, wish: Wish) -> dict[str, str]:
    kept = {TAG_KEEP: wish.keep_until.isoformat()} if wish.keep_until else {}
    return names.tags(run.loaded.stack, ROLE) | dict([run_mark(record)]) | kept


def run_mark(record: Record) -> tuple[str, str]:
    """Return the tag that says which run made a copy."""
    # Tags take letters, digits, spaces and _.:/=+-@ alone.
    who = "".join(sign if sign.isalnum() or sign in " _.:/=+-@" else "-" for sign in record.who)
    return TAG_RUN, who[:250]


def _enter(run: Run, instance: Instance) -> Copy:
    """Wait for a copy, and give its roles passwords of its own: it came with those of its source."""
    begin = time.monotonic()
    found = wait_restored(run.site, instance)
    if found.status in BROKEN:
        return Copy(instance.name, time.monotonic() - begin, found.version, broken=found.status)
    master = Login(
        host=found.outputs["host"],
        port=int(found.outputs["port"]),
        database=run.loaded.stack.database.name,
        user=run.loaded.stack.database.master_username,
        password=secrets.token_urlsafe(PASSWORD_BYTES),
        ca_bundle=run.site.cloud.ca_bundle,
        application=APPLICATION,
        answer_limit=run.settings.request_timeout,
    )
    set_master_password(run.site, instance.region, instance.name, master)
    logins = {
        user: replace(master, user=user, password=secrets.token_urlsafe(PASSWORD_BYTES))
        for user in USERS
    }
    for login in logins.values():
        repair_password(master, login)
    seconds = time.monotonic() - begin
    return Copy(instance.name, seconds, found.version, logins=logins | {MASTER: master})


def _remove_after(run: Run, instance: Instance, made: Made, error: BaseException) -> None:
    """Remove the copy of a run that failed, whose error is the one to be told."""
    try:
        delete_scratch(run.site, instance, made)
    except HavenError as other:
        error.add_note(f"{instance.address} was not removed: {other}")
