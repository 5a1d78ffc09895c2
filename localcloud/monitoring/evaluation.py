"""What state an alarm is in, given its datapoints: a function of its arguments alone.

Source: CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
missing data".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
# More periods are looked at than are evaluated, so that late datapoints may count.
_SPARE = 2
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_WORDS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm goes off."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: str = "missing"

    @property
    def looked_at(self) -> int:
        """How many periods are looked at."""
        return self.periods + _SPARE

    def breaches(self, value: float) -> bool:
        """Tell whether a value is on the wrong side of the threshold."""
        return _COMPARE[self.comparison](value, self.threshold)


def known(comparison: str) -> bool:
    """Tell whether a comparison can be evaluated; those with bands cannot."""
    return comparison in _COMPARE


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of an alarm and the reason AWS would give for it."""

    state: str
    reason: str
    recent: tuple[float, ...]


def evaluate(rule: Rule, values: Sequence[float | None], current: str) -> Verdict:
    """Return the state over the periods looked at, oldest first; nothing stands for no datapoint.

    ``current`` is the state the alarm is in, which some gaps leave as it is.
    """
    real = [value for value in values if value is not None][-rule.periods :]
    breaching = sum(map(rule.breaches, real))
    lacking = rule.periods - len(real)
    if breaching >= rule.to_alarm:
        state = ALARM
    elif lacking <= 0 or rule.missing == "notBreaching":
        state = OK
    elif rule.missing == "breaching":
        state = ALARM if breaching + lacking >= rule.to_alarm else OK
    else:
        state = _with_gaps(rule, values, breaching == len(real), current)
    return Verdict(state, _reason(rule, real, state, lacking), tuple(real))


def _with_gaps(
    rule: Rule, values: Sequence[float | None], only_breaching: bool, current: str
) -> str:
    """Decide where datapoints lack and none is put in their place."""
    if not only_breaching:
        return OK
    if rule.missing == "ignore":
        return current
    oldest = next((n for n, value in enumerate(values) if value is not None), None)
    if oldest is None:
        return INSUFFICIENT
    # Nothing but breaches since a moment as long ago as the datapoints to alarm.
    return ALARM if len(values) - oldest >= rule.to_alarm else current


def _reason(rule: Rule, real: Sequence[float], state: str, lacking: int) -> str:
    if state == INSUFFICIENT:
        return f"Insufficient Data: {_count(lacking)} {_was(lacking)} unknown."
    if not real:
        treated = rule.missing[:1].upper() + rule.missing[1:]
        return (
            f"Threshold Crossed: no datapoints were received for {rule.periods} periods and "
            f"{lacking} missing datapoints were treated as [{treated}]."
        )
    counted = [value for value in real if rule.breaches(value) == (state == ALARM)] or real
    negation = "" if state == ALARM else "not "
    return (
        f"Threshold Crossed: {len(counted)} out of the last {_count(len(real))} "
        f"[{', '.join(map(str, reversed(counted)))}] {_was(len(counted))} {negation}"
        f"{_WORDS[rule.comparison]} the threshold ({rule.threshold})."
    )


def _count(number: int) -> str:
    return f"{number} datapoint" if number == 1 else f"{number} datapoints"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
