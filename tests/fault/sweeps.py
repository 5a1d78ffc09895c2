"""The sweeps by name, and what one of them has to report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fault.aws_faults import aws_faults
from tests.fault.cases import Case, Reference, Tried
from tests.fault.crash import crashes, double_crashes
from tests.fault.pairs import pairs
from tests.fault.postgres_faults import postgres_faults

RESULTS = Path(__file__).parent / "results"
SWEEPS: dict[str, Callable[[Reference, int], list[Case]]] = {
    "aws": aws_faults,
    "crash": crashes,
    "crash-twice": double_crashes,
    "pairs": pairs,
    "postgres": postgres_faults,
}


@dataclass(slots=True)
class Result:
    """What a sweep tried, of how many cases there are, and every failure in full."""

    sweep: str
    operation: str
    seed: int
    total: int
    tried: int
    reached: int
    seconds: int = 0
    failures: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, sweep: str, operation: str, seed: int, total: int, tried: Sequence[Tried]
    ) -> "Result":
        """Sum up what was tried."""
        failures = {one.case: one.wrong for one in tried if one.wrong}
        reached = sum(one.reached for one in tried)
        return cls(sweep, operation, seed, total, len(tried), reached, failures=failures)

    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"seed {self.seed}: {self.sweep} {self.operation}, tried {self.tried} of "
            f"{self.total}, reached {self.reached}, failed {len(self.failures)}"
        )

    def write(self, folder: Path) -> None:
        """Write it as JSON, under its name."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.sweep}-{self.operation}.json".replace(" ", "-")
        (folder / name).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
