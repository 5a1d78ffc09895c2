"""Whom to promote, or why nobody: every reason at once, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from haven.promotion.loss import NOTHING, Loss, expected_loss
from haven.promotion.observed import Candidate, Source

SERVES = "available"
# Two places must agree that a primary is gone: one of them may itself be cut off.
WITNESSES = 2


class Mode(StrEnum):
    """What a run of promote-replica does."""

    PLANNED = "planned"
    EMERGENCY = "emergency"
    FAIL_BACK = "fail-back"
    REWIND = "rewind"
    DRILL = "drill"
    FENCE = "fence"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is acceptable: seconds of writing that may be lost, and of lag before a switch-over.

    ``dead`` is the name of the primary, typed by a person who says that it is gone; ``unknown`` says
    that one may lose nobody knows how much, where no heartbeat tells.
    """

    loss_s: float
    lag_s: float
    dead: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason against a promotion, of which instance, and what would help."""

    subject: str
    text: str
    cure: str

    @property
    def sentence(self) -> str:
        """Say it."""
        return f"{self.subject}: {self.text}. {self.cure}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """The replica to promote, what that may lose, and what speaks against the others."""

    candidate: Candidate
    loss: Loss
    hazards: tuple[str, ...] = ()
    others: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is promoted."""

    reasons: tuple[Reason, ...]


def decide(
    mode: Mode, source: Source, candidates: Sequence[Candidate], wanted: str, limits: Limits
) -> Promotion | Refusal:
    """Choose the replica to promote, or refuse with every reason.

    ``wanted`` names one; empty leaves it to what each has: of those in the primary's own region,
    or else of all, the one that has received most, then one in another zone than the primary's,
    then the larger one.
    """
    emergency = mode is Mode.EMERGENCY
    of_source = tuple(_against_source(source, limits, emergency=emergency))
    asked = [item for item in candidates if not wanted or item.name == wanted]
    if not asked:
        names = ", ".join(item.name for item in candidates) or "there is none"
        text = f"it is no replica of {source.name}"
        return Refusal((*of_source, Reason(wanted or "replicas", text, f"Choose from: {names}.")))
    against = {
        item.name: tuple(_against(item, source, limits, emergency=emergency)) for item in asked
    }
    fit = [item for item in asked if not against[item.name]]
    others = tuple(reason for reasons in against.values() for reason in reasons)
    if of_source or not fit:
        return Refusal((*of_source, *(() if fit else others)))
    best = min(fit, key=lambda item: _rank(item, source, exact=emergency))
    loss = expected_loss(source, best) if emergency else NOTHING
    return Promotion(best, loss, tuple(_hazards(best, source, emergency=emergency)), others)


def _rank(item: Candidate, source: Source, *, exact: bool) -> tuple[object, ...]:
    """Sort the better one first. Where everything is drained anyway, what has come does not count."""
    return (
        item.region != source.region,
        -item.end if exact else 0,
        item.zone == source.zone,
        _size(item.instance_class),
        item.name,
    )


# Larger classes first; RDS counts from medium by doublings.
_SIZES = ("micro", "small", "medium", "large", "xlarge")


def _size(instance_class: str) -> float:
    size = instance_class.rsplit(".", 1)[-1]
    times = size.removesuffix("xlarge")
    if size.endswith("xlarge") and times.isdigit():
        return -(len(_SIZES) + int(times))
    return -float(_SIZES.index(size)) if size in _SIZES else 0.0


def _against_source(source: Source, limits: Limits, *, emergency: bool) -> Iterator[Reason]:
    if not emergency:
        if not source.reachable:
            yield Reason(
                source.name,
                "it does not answer, so it can neither be fenced nor drained",
                "Wait for it; if it is gone, use mode=emergency.",
            )
        return
    if source.reachable:
        yield Reason(
            source.name,
            "it answers, so nothing has to be lost",
            "Use mode=planned; if it answers nobody else, fence it first with mode=fence.",
        )
    elif limits.dead != source.name:
        yield from _not_witnessed(source)


def _not_witnessed(source: Source) -> Iterator[Reason]:
    typed = f"--param primary_is_gone={source.name}"
    seen = [item for item in source.vantages if item.sees]
    if seen:
        yield Reason(
            source.name,
            f"it is still seen from {', '.join(item.name for item in seen)}",
            f"Find out who is cut off. If it is gone for your applications, say so: {typed}.",
        )
        return
    blind = [item for item in source.vantages if item.sees is False]
    if len(blind) < WITNESSES:
        yield Reason(
            source.name,
            f"only {len(blind)} of the {WITNESSES} places needed say that it is gone",
            f"Look from another place. If you know that it is gone, say so: {typed}.",
        )


def _against(
    item: Candidate, source: Source, limits: Limits, *, emergency: bool
) -> Iterator[Reason]:
    if item.unreachable:
        yield Reason(item.name, f"it cannot be asked: {item.unreachable}", "Look at the instance.")
        return
    if not item.in_recovery:
        yield Reason(item.name, "it takes writes already", "It is no replica: leave it alone.")
        return
    if item.follows != source.name:
        yield Reason(
            item.name,
            f"it follows {item.follows or 'nobody'}, not {source.name}",
            "Promote a replica of the primary itself.",
        )
    if item.status != SERVES:
        cure = "RDS promotes no replica that is backing up: wait for the end of its backup."
        yield Reason(item.name, f"it is {item.status}", cure)
    if item.paused:
        yield Reason(item.name, "it does not replay what it receives", _cure_of_pause(item, source))
    if not emergency:
        yield from _against_draining(item, limits)
    elif not _is_acceptable(item, limits):
        age = "unknown" if item.beat_age is None else f"{item.beat_age:.0f} s"
        yield Reason(
            item.name,
            f"its last heartbeat is {age} old, so as much may be lost; {limits.loss_s:g} s may",
            "Accept the loss by a number: --param accept_loss_seconds=…, or restore from a backup.",
        )


def _is_acceptable(item: Candidate, limits: Limits) -> bool:
    return limits.unknown if item.beat_age is None else item.beat_age <= limits.loss_s


def _cure_of_pause(item: Candidate, source: Source) -> str:
    if source.max_connections > item.max_connections:
        return (
            f"Its max_connections is {item.max_connections}, the primary's "
            f"{source.max_connections}: raise it and reboot the replica."
        )
    return "Resume it: SELECT pg_wal_replay_resume()."


def _against_draining(item: Candidate, limits: Limits) -> Iterator[Reason]:
    if not item.fed:
        yield Reason(
            item.name,
            "it is not fed by the primary, so it would never have everything",
            "Look at its replication and the slot on the primary.",
        )
    elif item.beat_age is not None and item.beat_age > limits.lag_s:
        yield Reason(
            item.name,
            f"it is {item.beat_age:.0f} s behind, and nobody could write for as long",
            f"Wait until it is within {limits.lag_s:g} s.",
        )


def _hazards(item: Candidate, source: Source, *, emergency: bool) -> Iterator[str]:
    if item.region != source.region:
        yield f"applications have to follow to {item.region}: only its own proxy leads there"
    if not emergency:
        yield "nobody can write from the fence until the new primary is open"
        return
    yield f"{source.name} may still take writes of those who can reach it, until it is fenced"
    if item.beat_age is None:
        yield "no heartbeat has come to it: how much is lost is not known"
