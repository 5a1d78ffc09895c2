"""The operations that are swept. A new one is one row."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.adopt import AdoptParameters, adopt
from flows.check_heartbeat import CheckHeartbeatParameters, check_heartbeat
from flows.destroy import DestroyParameters, destroy
from flows.diagnose import DiagnoseParameters, diagnose
from flows.export_models import ExportParameters
from flows.frame import Run
from flows.heartbeat import beat_once
from flows.migrate import MigrateParameters, migrate
from flows.promote_replica import promote_replica
from flows.promotion_models import PromoteParameters
from flows.provision import ProvisionParameters, provision
from flows.rotate_credentials import Mode, RotateParameters, rotate_credentials
from flows.sample_data import load
from flows.verification_choice import look
from flows.verification_models import VerifyParameters
from flows.verify_backup import verify_backup
from flows.weekly_export import weekly_export
from haven.migrations.snapshot import Wish
from haven.promotion.choice import Mode as PromotionMode
from haven.stack import names
from haven.verification.choice import Kind
from haven.verification.share import choose
from tasks.manifests import look_at_relations, take_manifest
from tests.fault.clutter import clutter, keep_house, wrongly_gone, wrongly_kept_or_gone
from tests.fault.exports import half_exports, unfinished_exports
from tests.fault.inventory import Account
from tests.fault.locked_out import pointer_refused, secrets_refused
from tests.fault.open_primaries import none_open, several_open
from tests.local.adopt.stripping import strip

Look = Callable[[Account, Path], list[str]]
# How many schema files there are, besides those of the sweeps.
OURS = len(list((Path(__file__).parents[2] / "schema").glob("[0-9]*.sql")))


def nothing_wrong(_account: Account, _ca_bundle: Path) -> list[str]:
    """See nothing."""
    return []


@dataclass(frozen=True, slots=True)
class Operation:
    """What is swept: the state it starts from, what it does, and what it can spoil.

    ``start`` names the operations, and other events, that were before. What spoils the database
    alone is put back by a new database; else the whole account is. ``bounded`` says that no
    statement of it may take as long as it likes, so that an answer that never comes is given up.
    ``own_lock`` says that it holds not the stack's, but one in the database, or none. ``may_refuse``
    says that it rightly says no while a server that it needs is hindered. ``latest`` is
    how many seconds after its begin servers are killed under it at the latest. ``always`` says what
    is wrong where something must hold at every moment, also that of a kill; ``after`` the same of
    the end.
    """

    start: tuple[str, ...]
    act: Callable[[Run], object]
    spoils_database_only: bool = False
    bounded: bool = False
    own_lock: bool = False
    may_refuse: bool = False
    latest: float = 0.6
    always: Look = nothing_wrong
    after: Look = nothing_wrong


def _destroy(run: Run) -> object:
    return destroy(run, DestroyParameters(confirm=run.loaded.stack.prefix))


def _adopt(run: Run) -> object:
    return adopt(run, AdoptParameters(confirm=run.loaded.stack.prefix))


def _note_moment(run: Run) -> None:
    """Note a moment: passwords that were made before it are due, however often a run is killed."""
    _moment(run).write_text(datetime.now(UTC).isoformat(), encoding="utf-8")


def _moment(run: Run) -> Path:
    return run.settings.local_data / "moment"


def _rotate(run: Run) -> object:
    noted = _moment(run)
    before = datetime.fromisoformat(noted.read_text(encoding="utf-8")) if noted.exists() else None
    return rotate_credentials(run, RotateParameters(mode=Mode.NOW, made_before=before, wait=5))


def _check_heartbeat(run: Run) -> object:
    """Check a beat that was just written, as long as a sweep may take."""
    beat_once(run.settings)
    return check_heartbeat(run, CheckHeartbeatParameters())


def _back_up(run: Run) -> None:
    """Take a manifest, note a moment after it, and let five minutes pass: WAL is handed over."""
    scene = look(run)
    source = scene.source("sweep")
    relations, snapshot = look_at_relations(source)
    take_manifest(run.site, source, choose(relations, {}, 0, snapshot.moment), None)
    _note_moment(run)
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{run.settings.endpoint_url}/localcloud/clock",
        data=json.dumps({"advance": HANDED_OVER_S}).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # loopback


def _verify(run: Run) -> object:
    moment = datetime.fromisoformat(_moment(run).read_text(encoding="utf-8"))
    return verify_backup(run, VerifyParameters(kind=Kind.TIME, moment=moment))


def _promote(run: Run) -> object:
    """Switch over to the replica at home; once that is done, there is no old primary to close."""
    replica = f"{run.loaded.stack.prefix}-replica-1"
    is_done = names.primary(run.loaded.stack) == replica
    if is_done and not any(item.mark for item in run.sight.members):
        return promote_replica(run, PromoteParameters(mode=PromotionMode.FENCE))
    return promote_replica(run, PromoteParameters(candidate=replica, confirm=replica))


def _strip(run: Run) -> None:
    strip(run.site.cloud.client, run.loaded.stack)


OPERATIONS = {
    "provision": Operation((), lambda run: provision(run, ProvisionParameters())),
    "provision-again": Operation(
        ("provision",), lambda run: provision(run, ProvisionParameters()), bounded=True
    ),
    "migrate": Operation(
        ("provision",),
        lambda run: migrate(run, MigrateParameters()),
        spoils_database_only=True,
        own_lock=True,
    ),
    # As on a stack that is kept: a run that was killed may leave one more snapshot.
    "migrate-kept": Operation(
        ("provision",),
        lambda run: migrate(run, MigrateParameters(snapshot=Wish.ALWAYS)),
        own_lock=True,
    ),
    "undo": Operation(
        ("provision", "migrate"),
        lambda run: migrate(run, MigrateParameters(to=OURS)),
        spoils_database_only=True,
        own_lock=True,
    ),
    "rehearse": Operation(
        ("provision",), lambda run: migrate(run, MigrateParameters(rehearse=True))
    ),
    "sample-data": Operation(
        ("provision", "migrate"),
        lambda run: load(run, patients=20, seed=1),
        spoils_database_only=True,
    ),
    "rotate-credentials": Operation(
        ("provision", "moment"), _rotate, latest=3.5, always=pointer_refused, after=secrets_refused
    ),
    "verify-backup": Operation(("provision", "migrate", "backup"), _verify, latest=3.0),
    "housekeeping": Operation(
        ("provision", "migrate", "clutter"),
        keep_house,
        latest=2.0,
        always=wrongly_gone,
        after=wrongly_kept_or_gone,
    ),
    "weekly-export": Operation(
        ("provision", "migrate"),
        lambda run: weekly_export(run, ExportParameters(name="swept", seed=1)),
        latest=3.0,
        always=half_exports,
        after=unfinished_exports,
    ),
    "promote-replica": Operation(
        ("provision", "migrate", "beat"),
        _promote,
        may_refuse=True,
        latest=2.0,
        always=several_open,
        after=none_open,
    ),
    "check-heartbeat": Operation(
        ("provision", "migrate"),
        _check_heartbeat,
        spoils_database_only=True,
        bounded=True,
        own_lock=True,
    ),
    "diagnose": Operation(
        ("provision", "migrate"),
        lambda run: diagnose(run, DiagnoseParameters()),
        spoils_database_only=True,
        own_lock=True,
    ),
    "adopt": Operation(("provision", "strip"), _adopt),
    "destroy": Operation(("provision",), _destroy),
}
# What is no operation of Haven's, but happened before one.
EVENTS: dict[str, Callable[[Run], object]] = {
    "beat": lambda run: beat_once(run.settings),
    "strip": _strip,
    "moment": _note_moment,
    "backup": _back_up,
    "clutter": clutter,
}
HANDED_OVER_S = 301


def act(name: str, run: Run) -> None:
    """Do an operation, or what happens before one."""
    event = EVENTS.get(name)
    if event is None:
        event = OPERATIONS[name].act
    event(run)
