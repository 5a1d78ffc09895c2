"""Work that goes on after an API call has returned, each piece on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from localcloud.latency import Latency

LOG = logging.getLogger("localcloud")


class Lifecycle:
    """Runs transitions and makes each of them last at least its latency."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="transition")
        self._lock = threading.Lock()
        self._running: set[Future[None]] = set()
        self._stopped = False

    def begin(
        self,
        kind: str,
        work: Callable[[], None],
        done: Callable[[], None],
        failed: Callable[[BaseException], None],
        *,
        share: float = 1.0,
        extra: float = 0.0,
    ) -> None:
        """Run ``work``, let the rest of the latency pass, then call ``done`` or ``failed``.

        ``share`` is the part of the kind's latency that this transition takes, ``extra`` are
        seconds on top.
        """

        def transition() -> None:
            started = time.monotonic()
            work()
            least = share * self._latency.of(kind) + extra
            self._latency.wait(least - (time.monotonic() - started))
            done()

        def ended(future: Future[None]) -> None:
            with self._lock:
                self._running.discard(future)
            error = None if future.cancelled() else future.exception()
            if error is not None:
                LOG.error("A transition of kind %s failed.", kind, exc_info=error)
                failed(error)

        with self._lock:
            if self._stopped:
                return
            future = self._pool.submit(transition)
            self._running.add(future)
        future.add_done_callback(ended)

    def settle(self, limit: float) -> None:
        """Wait until no transition runs, at most ``limit`` seconds."""
        end = time.monotonic() + limit
        pause = threading.Event()
        while self.busy and time.monotonic() < end:
            pause.wait(0.01)

    @property
    def busy(self) -> bool:
        """Tell whether any transition runs."""
        with self._lock:
            return bool(self._running)

    def stop(self, limit: float = 30.0) -> None:
        """Begin nothing more, and wait for what runs."""
        with self._lock:
            self._stopped = True
        self._latency.stop()
        self.settle(limit)
        self._pool.shutdown(wait=False, cancel_futures=True)
