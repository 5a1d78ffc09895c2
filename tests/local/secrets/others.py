"""What others do to a stack's secrets and roles, so that runs have something to repair or to fail at."""

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from haven.lease import read_lease
from haven.stack import names
from haven.waiting import Wait, wait_for
from tests.fault.ground import PREFIX
from tests.local.secrets.collected import servers
from tests.local.secrets.place import Place

PRIMARY = f"{PREFIX}-primary"
LONGEST = 60.0
WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE usename = 'haven_admin' AND wait_event_type = 'Lock' AND state = 'active'
"""
Session = psycopg.Connection[tuple[Any, ...]]


def add_pending(place: Place, login: str, password: str) -> None:
    """Put a pending version beside the current one, as a rotation does."""
    manager, arn = place.ground.account.client("secretsmanager"), _arn(place, login)
    text = manager.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"]
    manager.put_secret_value(
        SecretId=arn,
        SecretString=json.dumps(json.loads(text) | {"password": password}),
        VersionStages=["AWSPENDING"],
    )


def drop_pending(place: Place, login: str) -> None:
    """Take the pending stage away again."""
    manager, arn = place.ground.account.client("secretsmanager"), _arn(place, login)
    listed = manager.list_secret_version_ids(SecretId=arn)["Versions"]
    for version in listed:
        if "AWSPENDING" in version["VersionStages"]:
            manager.update_secret_version_stage(
                SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=version["VersionId"]
            )


@contextlib.contextmanager
def content(place: Place, login: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """Let a login's secret hold something else for a block; text is put in as it is."""
    manager, arn = place.ground.account.client("secretsmanager"), _arn(place, login)
    before = manager.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"]
    after = change(json.loads(before))
    text = after if isinstance(after, str) else json.dumps(after)
    manager.put_secret_value(SecretId=arn, SecretString=text)
    try:
        yield
    finally:
        manager.put_secret_value(SecretId=arn, SecretString=before)


def _arn(place: Place, login: str) -> str:
    listed = place.ground.account.client("secretsmanager").list_secrets()["SecretList"]
    return next(str(item["ARN"]) for item in listed if item["Name"].endswith(f"/{login}"))


def change_password(place: Place, role: str) -> None:
    """Give a role a password that no secret holds, quietly."""
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
        sql.Identifier(role), sql.Literal(secrets.token_urlsafe())
    )
    with primary(place) as session:
        session.execute("SET log_statement = 'none'")
        session.execute("SET pg_stat_statements.track = 'none'")
        session.execute(statement)


def superuser(place: Place, statement: LiteralString) -> None:
    """Run a statement on the primary as the internal superuser."""
    with primary(place) as session:
        session.execute(statement)


@contextlib.contextmanager
def primary(place: Place) -> Iterator[Session]:
    """Hold a session of the internal superuser on the server that takes writes."""
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(it) for _, it in servers(place.ground.cloud.data)]
        yield next(it for it in sessions if _takes_writes(it))


def _takes_writes(session: Session) -> bool:
    return session.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


def while_it_waits(place: Place, act: Callable[[Place], None], run: Callable[[], object]) -> None:
    """Let a run wait where it alters a role, act then, let go of the role, and see the run end."""
    with ThreadPoolExecutor(1) as beside:
        with (
            primary(place) as session,
            contextlib.suppress(psycopg.OperationalError),
            session.transaction(force_rollback=True),
        ):
            session.execute("ALTER ROLE haven_app_a CONNECTION LIMIT 50")
            running = beside.submit(run)
            until("a run to wait for a role", lambda: running.done() or bool(_waiting(place)))
            assert not running.done(), running.exception() or running.result()
            act(place)
        running.result()


def await_lock(place: Place) -> None:
    """Wait until the lock of a run that was killed is free."""
    s3 = place.ground.account.client("s3")
    bucket = names.bucket(place.open_run().loaded.stack, "state")

    def free() -> bool:
        seen = read_lease(s3, bucket)
        return seen is None or seen.free

    until("the lock to be free", free)


def cancel(place: Place) -> None:
    """Cancel the statement that waits."""
    _stop(place, "SELECT pg_cancel_backend(%s)")


def terminate(place: Place) -> None:
    """End the session that waits."""
    _stop(place, "SELECT pg_terminate_backend(%s)")


def kill_server(place: Place) -> None:
    """Kill the server with all its processes."""
    given = {"action": "kill", "instance": PRIMARY, "region": "us-east-1"}
    place.ground.control("POST", "disturbances", given)


def _stop(place: Place, statement: LiteralString) -> None:
    stopped = _waiting(place)
    with primary(place) as session:
        for pid in stopped:
            session.execute(statement, (pid,))
    until("a session to stop", lambda: not stopped & _waiting(place))


def _waiting(place: Place) -> set[int]:
    with primary(place) as session:
        return {pid for (pid,) in session.execute(WAITING)}


def until(what: str, reached: Callable[[], bool]) -> None:
    """Wait until something holds."""
    wait_for(
        Wait(
            what=what,
            probe=reached,
            reached=bool,
            fatal=lambda _: None,
            interval=0.02,
            deadline=LONGEST,
        )
    )
