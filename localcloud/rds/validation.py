"""The rules a DB instance's parameters obey, with the faults of AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud import instance_classes, roles
from localcloud.parameters import Size
from localcloud.rds import faults, keys
from localcloud.rds.operations import Call

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MASTER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}")
_IDENTIFIER_LIMIT = 63
_SNAPSHOT_LIMIT = 255
_PASSWORD = (8, 128)
_PORTS = (1150, 65535)
_RETENTION_LIMIT = 35
_INTERVALS = (0, 1, 5, 10, 15, 30, 60)
_INSIGHTS = frozenset({7, 731, *(31 * months for months in range(1, 24))})
_LOGS = ("postgresql", "upgrade", "iam-db-auth-error")


def snapshot_identifier(given: str) -> str:
    """Return a snapshot's identifier in lower case; raise the fault when it is malformed."""
    name = given.lower()
    if len(name) > _SNAPSHOT_LIMIT or not _IDENTIFIER.fullmatch(name):
        raise faults.invalid_value(
            "The parameter DBSnapshotIdentifier is not a valid identifier. Identifiers must begin "
            "with a letter; must contain only ASCII letters, digits, and hyphens; and must not end "
            "with a hyphen or contain two consecutive hyphens."
        )
    return name


def identifier(given: str, parameter: str = "DBInstanceIdentifier") -> str:
    """Return an identifier in lower case; raise the fault when it is malformed."""
    name = given.lower()
    if len(name) > _IDENTIFIER_LIMIT or not _IDENTIFIER.fullmatch(name):
        raise faults.invalid_value(
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with "
            "a letter; must contain only ASCII letters, digits, and hyphens; and must not end "
            "with a hyphen or contain two consecutive hyphens."
        )
    return name


def instance_class(name: str) -> Size:
    """Return the size of a class; raise the fault when there is no such class."""
    size = instance_classes.size_of(name)
    if size is None:
        raise faults.invalid_value(f"Invalid DB Instance class: {name}")
    return size


def engine_version(offered: str, asked: str | None) -> str:
    """Return the offered version when it is what was asked for, wholly or by its major."""
    if asked and asked not in {offered, offered.split(".", maxsplit=1)[0]}:
        raise faults.invalid_combination(f"Cannot find version {asked} for postgres")
    return offered


def password(given: str) -> str:
    """Return the master password; raise the fault when RDS would not take it."""
    low, high = _PASSWORD
    if not low <= len(given) <= high:
        raise faults.invalid_value(
            "The parameter MasterUserPassword is not a valid password because it is "
            f"{'shorter than 8' if len(given) < low else 'longer than 128'} characters."
        )
    if any(letter in "/'\"@ " or not 32 < ord(letter) < 127 for letter in given):  # noqa: PLR2004
        raise faults.invalid_value(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
            "characters besides '/', '@', '\"', ' ' may be used."
        )
    return given


def master(given: str) -> str:
    """Return the master user name; raise the fault when it is malformed or reserved."""
    if not _MASTER.fullmatch(given) or given.lower().startswith("pg_"):
        raise faults.invalid_value(f"MasterUsername {given} is not valid.")
    if given.lower() in roles.RESERVED | {"admin", "postgres_admin"} - {"postgres"}:
        raise faults.invalid_value(
            f"MasterUsername {given} cannot be used as it is a reserved word used by the engine"
        )
    return given


def database(given: str | None) -> str | None:
    """Return the name of the first database; raise the fault when it is malformed."""
    if given is not None and (not _DATABASE.fullmatch(given) or given.lower() == "rdsadmin"):
        raise faults.invalid_value(f"DBName {given} is not valid for engine postgres.")
    return given


def port(given: int | None) -> int:
    """Return the port; raise the fault outside of what RDS allows."""
    chosen = 5432 if given is None else int(given)
    low, high = _PORTS
    if not low <= chosen <= high:
        raise faults.invalid_value(f"Invalid endpoint port {chosen}, must be in {low}-{high}")
    return chosen


def retention(given: int) -> int:
    """Return the days backups are kept; raise the fault outside 0 to 35."""
    if not 0 <= int(given) <= _RETENTION_LIMIT:
        raise faults.invalid_value(
            f"Invalid backup retention period: {given}. Retention period must be between 0 and 35."
        )
    return int(given)


def log_exports(given: list[str]) -> list[str]:
    """Return the kinds of log to export; raise the fault for one PostgreSQL has not."""
    unknown = [kind for kind in given if kind not in _LOGS]
    if unknown:
        raise faults.invalid_combination(
            f"You cannot use the log types '{', '.join(unknown)}' with engine version postgres. "
            f"For supported log types, see the documentation: {', '.join(_LOGS)}."
        )
    return sorted(set(given))


def monitoring(call: Call, current: dict[str, object] | None = None) -> dict[str, object]:
    """Return enhanced monitoring's attributes; it needs a role that may be assumed."""
    have = current or {}
    interval = int(call.get("MonitoringInterval", have.get("MonitoringInterval", 0)))
    role = call.get("MonitoringRoleArn", have.get("MonitoringRoleArn"))
    if interval not in _INTERVALS:
        raise faults.invalid_value(f"Invalid value for MonitoringInterval: {interval}")
    if interval and not role:
        raise faults.invalid_combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value "
            "other than 0."
        )
    if interval == 0 and call.has("MonitoringRoleArn"):
        raise faults.invalid_combination(
            "You can't specify MonitoringRoleARN with a MonitoringInterval of 0."
        )
    if interval and call.has("MonitoringRoleArn"):
        keys.require_role(call.home, role, "monitoring.rds.amazonaws.com")
    return {"MonitoringInterval": interval, "MonitoringRoleArn": role if interval else None}


def insights(call: Call, current: dict[str, object] | None = None) -> dict[str, object]:
    """Return Performance Insights' attributes."""
    have = current or {}
    enabled = bool(
        call.get("EnablePerformanceInsights", have.get("PerformanceInsightsEnabled", False))
    )
    if not enabled:
        if call.has("PerformanceInsightsRetentionPeriod"):
            raise faults.invalid_combination(
                "To enable Performance Insights, EnablePerformanceInsights must be set to 'true'."
            )
        return {"PerformanceInsightsEnabled": False}
    days = int(
        call.get(
            "PerformanceInsightsRetentionPeriod",
            have.get("PerformanceInsightsRetentionPeriod") or 7,
        )
    )
    if days not in _INSIGHTS:
        raise faults.invalid_value(f"Invalid Performance Insights retention period: {days}")
    key = call.get("PerformanceInsightsKMSKeyId", have.get("PerformanceInsightsKMSKeyId"))
    return {
        "PerformanceInsightsEnabled": True,
        "PerformanceInsightsRetentionPeriod": days,
        "PerformanceInsightsKMSKeyId": keys.key_arn(call.home, key),
    }


def zone(home: Home, given: str, offered: list[str]) -> str:
    """Return an availability zone; raise the fault when the subnet group does not cover it."""
    if given not in offered:
        raise faults.invalid_value(
            f"The requested Availability Zone {given} is not valid for this subnet group in "
            f"{home.region_name}: {', '.join(offered)}."
        )
    return given
