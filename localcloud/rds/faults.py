"""The faults RDS answers, with its wire codes and its words."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class Fault(ServiceException):  # type: ignore[misc]  # moto has no types
    """An error of the RDS API, by its wire code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


def invalid_value(message: str) -> Fault:
    """A parameter's value cannot be."""
    return Fault("InvalidParameterValue", message)


def invalid_combination(message: str) -> Fault:
    """Parameters cannot be together."""
    return Fault("InvalidParameterCombination", message)


def missing(name: str) -> Fault:
    """A parameter that has to be given was not."""
    return Fault("MissingParameter", f"The request must contain the parameter {name}.")


def no_instance(identifier: str) -> Fault:
    """There is no such DB instance."""
    return Fault("DBInstanceNotFound", f"DBInstance {identifier} not found.")


def instance_state(identifier: str, status: str, wish: str) -> Fault:
    """The instance's status does not allow the operation."""
    return Fault(
        "InvalidDBInstanceState",
        f"Instance {identifier} cannot be {wish} in its current state: {status}. "
        "It has to be available.",
    )


def no_snapshot(identifier: str) -> Fault:
    """There is no such snapshot in this region."""
    return Fault("DBSnapshotNotFound", f"DBSnapshot {identifier} not found.")


def no_automated_backup(name: str) -> Fault:
    """There are no such automated backups."""
    return Fault("DBInstanceAutomatedBackupNotFound", f"Automated backup {name} was not found.")


def not_simulated(operation: str, reason: str = "") -> Fault:
    """The local cloud does not do this, and says so rather than pretend."""
    detail = f" {reason}" if reason else ""
    return Fault("InvalidAction", f"{operation} is not simulated by the local cloud.{detail}")
