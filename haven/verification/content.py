"""What was proven of the content of a restored copy, relation by relation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from haven.verification.rows import Tally, told
from haven.verification.verdict import Check, judged

NAME = "content"


@dataclass(frozen=True, slots=True)
class Proven:
    """A relation, or a range of its buckets: its rows held against a manifest's.

    ``problem`` says why they could not be.
    """

    unit: str
    relation: str
    tally: Tally = field(default_factory=Tally)
    problem: str = ""

    @property
    def wrong(self) -> list[str]:
        """What is wrong with it."""
        found = [f"{self.relation} {self.problem}"] if self.problem else []
        if self.tally.unexplained:
            found.append(told(self.relation, self.tally.unexplained))
        return found


def content_check(proven: Sequence[Proven]) -> Check:
    """Judge the content: nothing may be wrong anywhere."""
    total = total_of(proven)
    wrong = [text for one in proven for text in one.wrong]
    return judged(
        NAME,
        wrong,
        f"{total.equal:,} rows equal",
        f"{total.written_since:,} written since",
        f"{total.gone_by_rule:,} gone by rule",
    )


def total_of(proven: Sequence[Proven]) -> Tally:
    """Return the tally over everything."""
    total = Tally()
    for one in proven:
        total.add(one.tally)
    return total
