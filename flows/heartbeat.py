"""The heart: one session to the writer, a beat each interval, for as long as nobody stops it.

It is no operation: it holds no lock and leaves no evidence, and it does not end because something
is away. What keeps it from beating is waited for, and told once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg

from flows.endpoints import home_instances, writer, writer_login
from flows.frame import Run, open_run, who_we_are
from haven.errors import HavenError, Unavailable
from haven.heartbeat import Beat
from haven.pg import Connection, Login, first_line, open_connection, sql_error
from haven.settings import Settings
from haven.waiting import SYSTEM_CLOCK, Clock, backoff
from tasks.heartbeat import is_still_written_to, write_beat
from tasks.kinds import classified

APPLICATION = "haven heartbeat"
USER = "haven_migrator"
# A beat that takes longer is late anyhow. The server gives up first, so that a backend that waits
# does not outlive the session that it waits for.
ANSWER_S = 5
BOUNDED = "-c statement_timeout=4s -c lock_timeout=3s"
NO_TABLE = (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between beats, between attempts where none succeeds, and between looks at RDS."""

    interval: float
    retry_from: float = 0.5
    retry_to: float = 15.0
    look_again: float = 60.0


@dataclass(frozen=True, slots=True)
class _Target:
    """The writer as it was found, and how it is logged in to."""

    name: str
    instance: str
    login: Login


class Heart:
    """Writes beats through one session; opens another where the writer may have changed.

    Opened anew, it finds the writer and reads the secret again. ``stage`` is what it is at.
    """

    def __init__(self, settings: Settings, *, look_again: float, clock: Clock) -> None:
        """Prepare; nothing is asked yet."""
        self.stage = ""
        self.beats = 0
        limit = min(settings.request_timeout, ANSWER_S)
        self._settings = settings.model_copy(update={"request_timeout": limit})
        self._look_again, self._clock, self._looked = look_again, clock, 0.0
        self._run: Run | None = None
        self._who = ""
        self._target: _Target | None = None
        self._connection: Connection | None = None

    def beat(self) -> Beat:
        """Write one beat. Raises one of Haven's errors when that cannot be, at no harm."""
        self._leave_what_moved()
        run = self._run or self._reach()
        target = self._target or self._find(run)
        connection = self._connection or self._log_in(target)
        self.stage = "writing"
        try:
            beat = write_beat(
                connection, run.loaded.stack.prefix, instance=target.instance, who=self._who
            )
        except NO_TABLE as error:
            raise Unavailable(
                f"{target.login.where} has no table for it: {first_line(error)}.",
                cure="Run migrate.",
            ) from error
        except psycopg.Error as error:
            raise sql_error(error, target.login.where) from error
        self.beats += 1
        return beat

    @property
    def where(self) -> str:
        """The instance that is written to."""
        return f"{self._target.name} ({self._target.instance})" if self._target else "nothing"

    def close(self) -> None:
        """End the session; the next beat looks for the writer, which may be another by now."""
        self._target = self._run = None
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _reach(self) -> Run:
        """Reach the cloud anew: a local one may be at another address by now."""
        self.stage = "reaching the cloud"
        with classified("the cloud"):
            run = open_run(self._settings)
            self._who = who_we_are(run)
        self._run = run
        return run

    def _find(self, run: Run) -> _Target:
        self.stage = "finding the writer"
        run.site.vault.forget()
        run.journal.calls.clear()
        try:
            found = writer(run, home_instances(run))
            login = writer_login(
                run, {found.resource.address: found}, USER, application=APPLICATION
            )
        except HavenError:
            # What AWS answered, or did not: the next attempt reaches it anew.
            self._run = None
            raise
        login = replace(login, connect_timeout=ANSWER_S, options=BOUNDED)
        self._target = _Target(found.resource.name, found.outputs["resource_id"], login)
        return self._target

    def _log_in(self, target: _Target) -> Connection:
        self.stage = "logging in"
        self._connection = open_connection(target.login)
        self._looked = self._clock.now()
        return self._connection

    def _leave_what_moved(self) -> None:
        """Look now and then whether the session still leads to the instance of that name."""
        run, target, now = self._run, self._target, self._clock.now()
        if run is None or target is None or now - self._looked < self._look_again:
            return
        self._looked = now
        run.journal.calls.clear()
        if not is_still_written_to(run.site, target.name, target.instance):
            self.close()


def keep_beating(
    heart: Heart, pace: Pace, tell: Tell, *, quiet: bool = False, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Beat until the clock is stopped, which raises ``Unavailable`` out of its sleep.

    Each change of state is told once; with ``quiet``, nothing before the first beat.
    """
    told, failures = "", 0
    with contextlib.closing(heart):
        while True:
            begin = clock.now()
            try:
                heart.beat()
                state = text = f"Beating on {heart.where}."
                failures, pause = 0, pace.interval - (clock.now() - begin)
            except HavenError as error:
                heart.close()
                state, text = f"{heart.stage} {error.kind}", f"No beat: {error}"
                pause = backoff(failures, base=pace.retry_from, cap=pace.retry_to)
                failures += 1
            if state != told and (heart.beats or not quiet):
                tell(text)
            told = state
            clock.sleep(max(0.0, pause))


def beat_once(settings: Settings) -> Beat:
    """Write a single beat, and leave."""
    heart = Heart(settings, look_again=0.0, clock=SYSTEM_CLOCK)
    with contextlib.closing(heart):
        return heart.beat()
