"""How an instance goes from one status to the next while its cluster is worked on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud.rds import events, faults, memory
from localcloud.rds.instance import Instance

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

Step = Callable[[], None]


def require(instance: Instance, allowed: set[str], wish: str) -> None:
    """Raise the fault when the instance's status does not allow what is wished."""
    if instance.status not in allowed:
        raise faults.instance_state(instance.identifier, instance.status, wish)


def begin(
    home: Home,
    instance: Instance,
    kind: str,
    *,
    status: str,
    work: Step,
    done: Step,
    failure: str = "failed",
    share: float = 1.0,
    extra: float = 0.0,
    before: Step | None = None,
) -> None:
    """Put the instance into ``status``, run ``work`` beside, then ``done`` under the lock.

    ``before`` runs ahead of ``work``, while others may still work on the cluster.
    """
    instance.status = status

    def guarded() -> None:
        if before is not None:
            before()
        if instance.cluster is None:
            work()
            return
        with instance.cluster.lock:
            work()

    def finish() -> None:
        with home.runtime.lock:
            done()
            memory.keep_all(home)

    def failed(error: BaseException) -> None:
        with home.runtime.lock:
            instance.status = failure
            text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            events.add(home, instance, f"The operation failed: {text}", "failure")

    home.runtime.lifecycle.begin(kind, guarded, finish, failed, share=share, extra=extra)
