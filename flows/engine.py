"""Steps as Prefect task runs, with the retries that the step itself declares.

Result caching is off: a step called again with equal arguments must look again.
"""

from __future__ import annotations

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from haven.errors import HavenError
from tasks.kinds import Step, call_classified, cured_by_waiting


class _Call:
    """A call as one opaque argument: Prefect neither walks through it nor stores it."""

    def __init__(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Keep what is to be called."""
        self.step, self.args, self.kwargs = step, args, kwargs


def _run(call: _Call) -> Any:
    return call_classified(call.step, call.args, call.kwargs)


def _retry(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    error = state.data if isinstance(state.data, BaseException) else None
    if error is None:
        error = getattr(state.data, "exception", None)
    return isinstance(error, HavenError) and cured_by_waiting(error)


class PrefectEngine:
    """Runs every step as a task run of the flow run it was called in."""

    def run(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one step and return its result."""
        subject = step.subject(*args, **kwargs)
        title = step.name if subject == step.name else f"{step.name}: {subject}"
        task: Task[Any, Any] = Task(
            _run,
            name=step.name,
            task_run_name=title.replace("{", "(").replace("}", ")"),
            retries=step.retries.attempts - 1,
            retry_delay_seconds=exponential_backoff(step.retries.base),
            retry_jitter_factor=1,
            retry_condition_fn=_retry,
            cache_policy=NO_CACHE,
            persist_result=False,
        )
        return task(_Call(step, args, kwargs))
