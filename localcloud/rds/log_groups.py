"""The log groups RDS makes for exported logs. They stay empty: no log is shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.logs.models import logs_backends

from localcloud.rds.instance import Instance

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def ensure(home: Home, instance: Instance) -> None:
    """Make the groups that are missing, without a retention, as RDS does."""
    logs = logs_backends[home.account_id][home.region_name]
    names = [
        f"/aws/rds/instance/{instance.identifier}/{kind}"
        for kind in instance.settings["EnabledCloudwatchLogsExports"]
    ]
    if instance.settings["MonitoringInterval"]:
        names.append("RDSOSMetrics")
    for name in names:
        if name not in logs.groups:
            logs.create_log_group(name, tags={})
