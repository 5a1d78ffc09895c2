"""Rules on how long a file may keep others waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import calls

LIMIT = "lock_timeout"


def setting(node: Any, _known: Known) -> Iterator[Found]:
    """SET and RESET of the lock timeout, also among all that RESET ALL resets."""
    if node.name == LIMIT or node.kind.name == "VAR_RESET_ALL":
        yield Found("lock-timeout-changed", LIMIT)


def select(node: Any, _known: Known) -> Iterator[Found]:
    """The same by a function."""
    for name, words in calls(node):
        if name == "set_config" and words[:1] == [LIMIT]:
            yield Found("lock-timeout-changed", LIMIT)
