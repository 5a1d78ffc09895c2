"""A changed parameter group on its way to the servers that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.rds import group_values, transitions
from localcloud.rds.instance import Instance
from localcloud.rds.records import ParameterGroup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def spread(home: Home, group: ParameterGroup, methods: dict[str, str]) -> None:
    """Bring changed parameters to every instance of the group."""
    for instance in home.instances.values():
        if instance.parameter_group == group.name and instance.endpoint_known:
            _apply(home, instance, methods)


def _apply(home: Home, instance: Instance, methods: dict[str, str]) -> None:
    wanted = group_values.for_instance(home, instance)
    fresh = dict(instance.applied)
    for name in _dynamic(home, methods):
        if name in wanted:
            fresh[name] = wanted[name]
        else:
            fresh.pop(name, None)
    waiting = any(method == "pending-reboot" for method in methods.values())
    after = "pending-reboot" if waiting else instance.parameter_status
    if fresh == instance.applied or not instance.serving:
        instance.parameter_status = after
        return
    cluster = instance.need_cluster()
    status = instance.status
    # At once, so that a second change that comes meanwhile builds on this one.
    instance.applied = fresh

    def work() -> None:
        cluster.configure(instance.applied)
        cluster.reload()

    def done() -> None:
        if instance.parameter_status == "applying":
            instance.parameter_status = after

    instance.parameter_status = "applying"
    transitions.begin(home, instance, "api", status=status, work=work, done=done, failure=status)


def _dynamic(home: Home, methods: dict[str, str]) -> list[str]:
    catalogue = home.runtime.catalogue
    return [
        name
        for name, method in methods.items()
        if method == "immediate" and (found := catalogue.get(name)) and not found.static
    ]
