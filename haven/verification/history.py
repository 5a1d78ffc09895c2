"""The ledger of verifications: what was verified when, with which verdict. Objects are only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import Field

from haven.verification.choice import Kind
from haven.verification.manifest import Part
from haven.verification.verdict import Verdict

PREFIX = "verifications/"


class Verification(Part):
    """One verification.

    ``source`` is the resource id of the instance that the backup is of, ``backup`` the ARN of the
    snapshot or automated backup, ``restored_to`` the moment that the copy shows. ``proven`` says of
    each part of the database when it was last proven, by this verification or an earlier one.
    """

    kind: Kind
    source: str
    backup: str
    restored_to: datetime
    finished: datetime
    verdict: Verdict
    failures: tuple[str, ...] = ()
    manifest: str = ""
    rpo_seconds: float | None = None
    rto_seconds: float
    rows_equal: int = 0
    rows_explained: int = 0
    rows_unexplained: int = 0
    proven: dict[str, datetime] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Where it lies; by name they are in order of time."""
        word = self.verdict.replace(" ", "-")
        return f"{PREFIX}{self.finished:%Y%m%dT%H%M%S.%fZ}-{self.kind}-{word}.json"


def proven_now(
    before: Mapping[str, datetime], units: Iterable[str], moment: datetime
) -> dict[str, datetime]:
    """Return when each part was last proven, after some were proven at a moment."""
    return {**before, **dict.fromkeys(units, moment)}
