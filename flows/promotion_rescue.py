"""The emergency: nobody can close the primary, so what the replica has received has to do."""

from __future__ import annotations

from collections.abc import Callable

from flows.endpoints import MASTER
from flows.promotion_after import move_to_quarantine
from flows.promotion_proxy import followed, proxy_of
from flows.promotion_switch import Switch, drain_candidate, promote_candidate
from haven.errors import HavenError
from haven.promotion.steps import Step
from tasks.parting import keep_horizon, kept_horizon
from tasks.promotion import look_at_server
from tasks.proxies import release_targets


def rescue(switch: Switch) -> str:
    """Cut off the primary as far as that can be, and promote with what has been received.

    Returns what the replica shows right before it is promoted: by it, the loss is counted once the
    old primary can be read. It is written down before: afterwards the new primary shows more.
    """
    timeline, candidate = switch.timeline, switch.candidate
    if not candidate.source:
        return kept_horizon(switch.before.site, candidate, switch.mark.epoch) or _shown(switch)
    with timeline.lap(Step.FENCE):
        _cut_off(switch)
    with timeline.lap(Step.DRAIN):
        switch.before.progress(f"letting {candidate.name} replay what it has received")
        horizon = drain_candidate(switch, None).snapshot
        keep_horizon(switch.before.site, candidate, switch.mark.epoch, horizon)
    switch.record.confirm_lease()
    with timeline.lap(Step.PROMOTE):
        switch.before.progress(f"promoting {candidate.name}: there is no way back now")
        promote_candidate(switch)
    return horizon


def _shown(switch: Switch) -> str:
    """Return what it shows now, where somebody else has promoted it: RDS, or a person."""
    switch.report.warnings.append(
        f"{switch.candidate.name} was promoted by somebody else: what was written to it since then "
        "hides as much of what is lost"
    )
    return look_at_server(switch.scene.login(switch.candidate, MASTER, writable=False)).snapshot


def _cut_off(switch: Switch) -> None:
    """Do what AWS can do without the primary; what fails is told, and done later."""
    primary, site = switch.scene.primary, switch.before.site
    if primary is None:
        switch.report.fence.append(f"{switch.scene.name}: its region does not answer, it is open")
        return
    _try(
        switch,
        "the proxy follows no instance",
        lambda: release_targets(site, followed(proxy_of(switch.before), primary)),
    )
    _try(
        switch,
        f"{primary.name}: its network is being closed",
        lambda: move_to_quarantine(switch.before, primary),
    )


def _try(switch: Switch, done: str, act: Callable[[], object]) -> None:
    try:
        act()
    except HavenError as error:
        switch.report.fence.append(f"not yet: {done} ({error.what})")
    else:
        switch.report.fence.append(done)
