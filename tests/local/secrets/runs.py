"""The runs that a canary watches: good ones, failing ones, killed ones. A new one is one row."""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from flows.endpoints import MASTER, writer_logins
from flows.heartbeat import beat_once
from flows.migrate import MigrateParameters, migrate
from flows.provision import ProvisionParameters, provision
from flows.rotate_credentials import Mode, RotateParameters, rotate_credentials
from haven.errors import Unavailable
from haven.stack.database import LOGINS
from tests.fault.child import Job
from tests.fault.ground import PATIENCE
from tests.fault.points import SIDES, Point
from tests.local.secrets import others
from tests.local.secrets.place import Place
from tests.local.secrets.shown import everything_of

SEED = 20261123
# Where a secret was just made, or is on its way.
MADE = "aws secretsmanager:CreateSecret in secret/us-east-1/haven-faults/sweep/haven_app_a"
GIVEN_TO_A_ROLE = "sql DO $$ BEGIN EXECUTE in database roles"
SECRET_WORK = (
    "GetRandomPassword",
    "CreateSecret",
    "CreateDBInstance ",
    "GetSecretValue",
    "PutSecretValue",
    "set_config",
    "DO $$",
)
PROVISION = ("run", "provision")
ROTATE = ("run", "rotate-credentials", "--param", "mode=emergency")
# In the order of their work: what a killed run has done is not done again.
ROTATION_WORK = (
    "aws secretsmanager:PutSecretValue in rotate haven_reader",
    "sql SELECT set_config('haven.role', %(role)s, true), in rotate haven_auditor",
    "aws rds:ModifyDBInstance in rotate master",
)
BATCH = {"service": "secretsmanager", "operation": "BatchGetSecretValue"}
DENIED = {**BATCH, "kind": "error", "code": "AccessDenied", "status": 403, "times": 100}
VICTIM = "haven_app_a"
NO_PARAMETERS = ProvisionParameters()
KILLS = 20


def killed_while_it_makes_and_hands_out(place: Place) -> None:
    """Provision from nothing, killed once where a secret is made and once where one is used."""
    chance = random.Random(SEED)  # noqa: S311  # a seeded choice, not a secret
    for label, most in ((MADE, 1), (GIVEN_TO_A_ROLE, len(LOGINS))):
        point = Point(label, chance.randint(1, most), chance.choice(SIDES))
        assert killed_at(place, point), point.name


def killed_at(place: Place, point: Point, operation: str = "provision") -> bool:
    """Tell whether a run got to a point and was killed there."""
    ended = place.ground.run(Job(operation, target=point, patience=PATIENCE))
    assert ended.killed or ended.status == 0, ended.text
    place.gather()
    return ended.killed


def killed_often(place: Place) -> None:
    """Kill provisions from nothing at many points at which a secret is made or used."""
    chance = random.Random(SEED)  # noqa: S311  # a seeded choice, not a secret
    place.ground.prepare(())
    points = {
        point
        for point in place.ground.run(Job("provision")).points
        if any(words in point.label for words in SECRET_WORK)
    }
    place.gather()
    for point in chance.sample(sorted(points), KILLS):
        place.ground.prepare(())
        killed_at(place, point)
    provision_whole(place)


def provision_whole(place: Place) -> None:
    """Provision to the end on the command line, with tracebacks if any."""
    place.command(*PROVISION, "--without-prefect", "--debug", HAVEN_LOCK_LEASE="0.3")


def pending_versions(place: Place) -> None:
    """Put a pending password beside every current one, as a rotation does."""
    for login in (MASTER, *LOGINS):
        others.add_pending(place, login, place.plant(f"pending password of {login}"))


def migrate_under_prefect(place: Place) -> None:
    """Migrate as a flow run."""
    place.command("run", "migrate")


def provision_from_nothing_under_prefect(place: Place) -> None:
    """Provision a whole stack as a flow run."""
    place.ground.prepare(())
    place.command(*PROVISION)


def hindered_under_prefect(place: Place) -> None:
    """Provision as a flow run; the session that gives a role its password is ended once."""
    others.change_password(place, VICTIM)
    others.while_it_waits(place, others.terminate, lambda: place.command(*PROVISION))
    assert json.loads(place.ground.evidence()[-1])["figures"]["database changes"] == 1


def rotation_refused(place: Place) -> None:
    """Fail to rotate since somebody else's versions are pending, which are taken away then."""
    assert "that is not ours" in place.refused(*ROTATE, "--debug")
    for login in (MASTER, *LOGINS):
        others.drop_pending(place, login)


def rotated(place: Place) -> None:
    """Replace every password at once, as a flow run."""
    place.command(*ROTATE)


def rotation_cancelled(place: Place) -> None:
    """Fail while a role gets a new password: somebody cancels the statement, which waited."""
    everything = RotateParameters(mode=Mode.EMERGENCY)
    others.while_it_waits(
        place,
        others.cancel,
        lambda: place.failing(lambda run: rotate_credentials(run, everything)),
    )


def rotation_killed(place: Place) -> None:
    """Kill rotations on the way of a password from Secrets Manager into the database."""
    place.ground.run(Job("moment"))
    for label in ROTATION_WORK:
        assert killed_at(place, Point(label, 1, "after"), "rotate-credentials"), label
    others.await_lock(place)


def sample_data(place: Place) -> None:
    """Load sample data."""
    place.command("sample-data", "--patients", "20")


def looks(place: Place) -> None:
    """Ask for everything that can be looked at, at the same time."""
    words = (
        "status --json",
        "outputs --json",
        "env",
        "plan --json",
        "secret-check --json",
        "run check-heartbeat --dry-run --json --without-prefect",
        "run diagnose --json --without-prefect",
        "run housekeeping --json --without-prefect",
    )
    asked = [text.split() for text in words]
    children = [place.start(*arguments) for arguments in asked]
    assert {place.finish(child)[0] for child in children} <= {0, 2}


def passwords_repaired(place: Place) -> None:
    """Provision when no server knows the password of a role, nor that of the master."""
    others.change_password(place, VICTIM)
    others.change_password(place, "haven_admin")
    report = provision(place.open_run(), NO_PARAMETERS)
    assert len(report.database.changes) == 2


def objects_shown(place: Place) -> None:
    """Show every object that holds a secret: runs, sites, logins, a connection."""
    run = place.open_run()
    logins = writer_logins(run, None, [MASTER, *LOGINS])
    shown: list[Any] = [run, run.site, run.site.vault, run.settings, run.loaded, *logins.values()]
    place.shown += [text for item in shown for text in (repr(item), str(item))]
    place.shown.append(run.settings.model_dump_json())


def denied_under_prefect(place: Place) -> None:
    """Fail under Prefect since the secrets may not be read."""
    place.ground.control("POST", "faults", DENIED)
    assert "Refused" in place.refused(*PROVISION, "--debug")
    place.ground.control("DELETE", "faults")


def wrong_password(place: Place) -> None:
    """Fail since a secret holds another password than the server knows."""
    planted = place.plant("wrong password")
    with others.content(place, "haven_migrator", lambda it: it | {"password": planted}):
        error = place.failing(lambda run: migrate(run, MigrateParameters()))
        heart = place.failing(lambda run: beat_once(run.settings))
    assert (error.kind, heart.kind) == ("InvalidRequest", "InvalidRequest")


def no_json(place: Place) -> None:
    """Fail since a secret is no JSON; what it is instead may be a password."""
    planted = place.plant("secret that is no JSON")
    with others.content(place, "haven_migrator", lambda _: f"{planted} {{"):
        error = place.failing(lambda run: migrate(run, MigrateParameters()))
        place.refused(*PROVISION, "--debug")
    assert "does not hold a JSON object" in str(error)


def cut_password(place: Place) -> None:
    """Fail since a password holds what the C library would cut it at."""
    planted = place.plant("password with a NUL")
    with others.content(place, "haven_migrator", lambda it: it | {"password": f"{planted}\0x"}):
        error = place.failing(lambda run: migrate(run, MigrateParameters()))
    assert "NUL" in str(error)


def failing_migration(place: Place) -> None:
    """Fail in a statement of a migration, under Prefect."""
    folder = place.ground.settings["schema_dir"]
    last = max(int(path.name.partition("_")[0]) for path in folder.glob("[0-9]*.sql"))
    bad = folder / f"{last + 1:02}_bad.sql"
    bad.write_text("ALTER TABLE haven_health.patients ADD COLUMN id text;\n", encoding="utf-8")
    assert "already exists" in place.refused("run", "migrate", "--debug")
    bad.unlink()


def misspelt_settings(place: Place) -> None:
    """Fail since a secret was put where no setting is, or into the address of the cloud."""
    password = place.plant("password in the environment")
    place.refused("status", "--debug", HAVEN_MASTER_PASSWORD=password)
    url = f"http://haven:{place.plant('password in an address')[:18]}@db.example.org:4566"
    place.refused("status", "--debug", HAVEN_ENDPOINT_URL=url)


def alteration_refused(place: Place) -> None:
    """Fail while a role gets its password: the server does not let the master alter it."""
    others.change_password(place, VICTIM)
    others.superuser(place, "ALTER ROLE haven_app_a SUPERUSER")
    place.failing(lambda run: provision(run, NO_PARAMETERS))
    others.superuser(place, "ALTER ROLE haven_app_a NOSUPERUSER")


def alteration_cancelled(place: Place) -> None:
    """Fail while a role gets its password: somebody cancels the statement, which waited."""
    others.change_password(place, VICTIM)
    others.while_it_waits(
        place, others.cancel, lambda: place.failing(lambda run: provision(run, NO_PARAMETERS))
    )


def alteration_ended(place: Place, end: Callable[[Place], None]) -> None:
    """The session or the server ends while a role gets its password; the run goes on or says so."""

    def provision_or_tell() -> None:
        try:
            provision(place.open_run(), NO_PARAMETERS)
        except Unavailable as error:
            place.exceptions.append(everything_of(error))

    others.change_password(place, VICTIM)
    others.while_it_waits(place, end, provision_or_tell)


def killed_under_prefect(place: Place) -> None:
    """Kill a flow run from outside while it puts a password right."""
    others.change_password(place, VICTIM)
    child = place.start(*PROVISION)
    others.while_it_waits(place, lambda _: child.kill(), lambda: place.finish(child))
    assert child.returncode < 0
    others.await_lock(place)


Row = tuple[str, Callable[[Place], None]]
QUICK: tuple[Row, ...] = (
    ("killed", killed_while_it_makes_and_hands_out),
    ("good", provision_whole),
    ("good", pending_versions),
    ("good", objects_shown),
    ("failing", hindered_under_prefect),
    ("failing", wrong_password),
    ("failing", cut_password),
    ("failing", alteration_refused),
    ("failing", alteration_cancelled),
    ("failing", rotation_refused),
    ("failing", rotation_cancelled),
)
SLOW: tuple[Row, ...] = (
    ("good", migrate_under_prefect),
    ("good", sample_data),
    ("good", looks),
    ("good", passwords_repaired),
    ("good", rotated),
    ("killed", rotation_killed),
    ("failing", denied_under_prefect),
    ("failing", failing_migration),
    ("failing", no_json),
    ("failing", misspelt_settings),
    ("killed", killed_under_prefect),
    ("failing", partial(alteration_ended, end=others.terminate)),
    ("failing", partial(alteration_ended, end=others.kill_server)),
    ("killed", killed_often),
    ("good", provision_from_nothing_under_prefect),
)
