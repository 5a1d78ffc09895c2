"""What hinders a run at its database: servers die or stand still, links end, others are in the way."""

import contextlib
import errno
import os
import signal
import threading
import urllib.error
from collections.abc import Callable, Iterator

import psycopg
from psycopg import sql

from tests.fault.catalogue import connected, secret
from tests.fault.ground import PREFIX, Child, Ground
from tests.fault.relay import Link, Relay, relayed

PRIMARY, REPLICA = f"{PREFIX}-primary", f"{PREFIX}-replica-1"
REGION = "us-east-1"
STANDSTILL = 1.0
HELD = 3.0
LAG = 5.0
# Something done at one moment of a run; tells whether there was anything to do it to.
Act = Callable[[Ground, Child], bool]
# Something that holds while a run lasts; it may yield a relay to go through.
Hinder = Callable[[Ground], contextlib.AbstractContextManager[Relay | None]]

SESSIONS = """SELECT pid FROM pg_stat_activity
WHERE application_name LIKE 'haven%' AND backend_type = 'client backend'"""
END_SESSIONS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename LIKE 'haven%' AND pid <> pg_backend_pid()"""
TABLES = """SELECT schemaname, tablename FROM pg_tables WHERE tableowner = 'haven_owner'
AND schemaname !~ '^pg_' ORDER BY 1, 2"""


def disturb(ground: Ground, action: str, instance: str = PRIMARY, **more: float) -> None:
    """Ask the local cloud to break something, or to mend it."""
    given = {"action": action, "instance": instance, "region": REGION, **more}
    ground.control("POST", "disturbances", given)


def kill(instance: str) -> Act:
    """Kill a server."""

    def act(ground: Ground, _child: Child) -> bool:
        disturb(ground, "kill", instance)
        return True

    return act


def end_sessions(ground: Ground, _child: Child) -> bool:
    """End every session of the stack's roles, as an administrator would."""
    with _session(ground, "master") as connection:
        return bool(connection.execute(END_SESSIONS).rowcount)


def kill_sessions(ground: Ground, _child: Child) -> bool:
    """Kill the processes behind the sessions; the server then ends all others, and recovers."""
    with _session(ground, "master") as connection:
        found = connection.execute(SESSIONS).fetchall()
    for (pid,) in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def hold_tables(ground: Ground, child: Child) -> bool:
    """Lock every table as soon as there is one, for longer than a statement waits."""
    with _session(ground, "haven_migrator") as connection:
        connection.execute("SET ROLE haven_owner")
        found = connection.execute(TABLES).fetchall()
        while not found and child.process.is_alive():
            child.process.join(0.01)
            found = connection.execute(TABLES).fetchall()
        tables = sql.SQL(", ").join(sql.Identifier(*row) for row in found)
        if not (found and child.process.is_alive()):
            return False
        with connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE {}").format(tables))
            child.process.join(HELD)
        return True


def link(how: Link) -> Hinder:
    """Put a relay between the run and the primary."""

    @contextlib.contextmanager
    def hinder(ground: Ground) -> Iterator[Relay]:
        content = secret(ground.account, "master") or {}
        with relayed(content["host"], int(content["port"]), how) as relay:
            yield relay

    return hinder


def replica(breaks: str, mends: str) -> Hinder:
    """Let a replica fall behind while the run lasts."""

    @contextlib.contextmanager
    def hinder(ground: Ground) -> Iterator[None]:
        disturb(ground, breaks, REPLICA)
        yield
        _mend(ground, mends)

    return hinder


@contextlib.contextmanager
def lagging(ground: Ground) -> Iterator[None]:
    """Let a replica apply everything late."""
    disturb(ground, "delay-replay", REPLICA, seconds=LAG)
    yield
    _mend(ground, "delay-replay", seconds=0)


def _mend(ground: Ground, action: str, **more: float) -> None:
    """Mend the replica, unless it has become the primary meanwhile."""
    with contextlib.suppress(urllib.error.HTTPError):
        disturb(ground, action, REPLICA, **more)


@contextlib.contextmanager
def standstill(ground: Ground) -> Iterator[None]:
    """Let the primary's processes stand still for a while."""
    disturb(ground, "freeze")
    timer = threading.Timer(STANDSTILL, disturb, (ground, "thaw"))
    timer.start()
    yield
    timer.join()


@contextlib.contextmanager
def exhausted(ground: Ground) -> Iterator[None]:
    """Take every connection there is."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.enter_context(_session(ground, "haven_migrator"))
        yield


@contextlib.contextmanager
def full(ground: Ground) -> Iterator[None]:
    """Take all space that is left on the disk of the local cloud."""
    filler = ground.data / "filler"
    with filler.open("wb") as file:
        while (facts := os.statvfs(ground.data)).f_bavail:
            try:
                os.posix_fallocate(file.fileno(), 0, facts.f_bavail * facts.f_frsize)
            except OSError as error:
                # The servers write too: what was left a moment ago is left no more.
                if error.errno != errno.ENOSPC:
                    raise
            else:
                break
    yield
    filler.unlink()


def _session(ground: Ground, user: str) -> psycopg.Connection:
    return connected(ground.account, ground.cloud.ca_bundle, user)
