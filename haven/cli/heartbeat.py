"""Keeping a stack's heartbeat: as a command of its own, and beside the local cloud."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from haven.cli import show
from haven.errors import Unavailable
from haven.pg import first_line
from haven.settings import Settings
from haven.stack.files import load_stack
from haven.waiting import SystemClock

# A request that hangs does not keep everything else from ending.
ENDING_S = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_heartbeat(settings: Settings, interval: float | None) -> int:
    """Beat until Ctrl-C or a signal ends it, with one line."""
    ended = threading.Event()
    for number in SIGNALS:
        # What nohup, or a shell, had this process ignore stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: ended.set())
    with beating(settings, interval=interval, ended=ended) as keeper:
        ended.wait()
    if keeper.broken:
        return 1
    show.line(f"The heartbeat of {keeper.stack} has ended, after {keeper.beats} beats.")
    return 0


@contextlib.contextmanager
def beating(
    settings: Settings,
    *,
    interval: float | None = None,
    quiet: bool = False,
    ended: threading.Event | None = None,
) -> Iterator[Keeper]:
    """Keep the heartbeat of a stack for a block; ``ended`` is set if it ends by itself."""
    keeper = Keeper(settings, interval, quiet=quiet, ended=ended or threading.Event())
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.clock.stop()
        keeper.join(ENDING_S)


class Keeper(threading.Thread):
    """A thread in which the heart beats. It never keeps the process from ending."""

    def __init__(
        self, settings: Settings, interval: float | None, *, quiet: bool, ended: threading.Event
    ) -> None:
        """Read the stack file, which raises ``InvalidRequest`` here rather than in the thread."""
        super().__init__(name="heartbeat", daemon=True)
        from flows.heartbeat import Heart, Pace  # noqa: PLC0415  # imported late

        stack = load_stack(settings.stack, settings.stacks_dir).stack
        self.stack = stack.prefix
        self.clock = SystemClock()
        self.broken = False
        self._pace = Pace(interval or stack.heartbeat.interval_seconds)
        self._heart = Heart(settings, look_again=self._pace.look_again, clock=self.clock)
        self._quiet, self._ended = quiet, ended

    @property
    def beats(self) -> int:
        """How many beats were written."""
        return self._heart.beats

    # typing.override comes with Python 3.12.
    def run(self) -> None:  # type: ignore[explicit-override]
        """Beat until the clock is stopped."""
        from flows.heartbeat import keep_beating  # noqa: PLC0415  # imported late

        try:
            with contextlib.suppress(Unavailable):
                keep_beating(
                    self._heart, self._pace, show.line, quiet=self._quiet, clock=self.clock
                )
        except Exception as error:  # noqa: BLE001  # told in one paragraph, as main does
            self.broken = True
            what = f"{type(error).__name__}: {first_line(error)}"
            show.error(f"The heartbeat of {self.stack} has ended. {what}. Nobody foresaw this.")
        finally:
            self._ended.set()
