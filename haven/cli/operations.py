"""The operations by name. A new one is one line here."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from haven.errors import InvalidRequest
from haven.findings import explain, short


@dataclass(frozen=True, slots=True)
class Operation:
    """Where an operation and its parameter model are found."""

    module: str
    function: str
    parameters: str

    def load(self) -> tuple[Callable[..., Any], type[BaseModel]]:
        """Import the operation now; returns the function and its parameter model."""
        module = importlib.import_module(self.module)
        return getattr(module, self.function), getattr(module, self.parameters)


OPERATIONS = {
    "adopt": Operation("flows.adopt", "adopt", "AdoptParameters"),
    "check-heartbeat": Operation(
        "flows.check_heartbeat", "check_heartbeat", "CheckHeartbeatParameters"
    ),
    "destroy": Operation("flows.destroy", "destroy", "DestroyParameters"),
    "diagnose": Operation("flows.diagnose", "diagnose", "DiagnoseParameters"),
    "housekeeping": Operation("flows.housekeeping", "housekeeping", "HousekeepingParameters"),
    "migrate": Operation("flows.migrate", "migrate", "MigrateParameters"),
    "promote-replica": Operation("flows.promote_replica", "promote_replica", "PromoteParameters"),
    "provision": Operation("flows.provision", "provision", "ProvisionParameters"),
    "rotate-credentials": Operation(
        "flows.rotate_credentials", "rotate_credentials", "RotateParameters"
    ),
    "verify-backup": Operation("flows.verify_backup", "verify_backup", "VerifyParameters"),
    "weekly-export": Operation("flows.weekly_export", "weekly_export", "ExportParameters"),
}


def operation(name: str) -> Operation:
    """Return an operation. Raises ``InvalidRequest`` naming the known ones."""
    if name not in OPERATIONS:
        raise InvalidRequest(
            f"There is no operation {short(name)}.",
            left="Nothing was touched.",
            cure=f"Known operations: {', '.join(OPERATIONS)}.",
        )
    return OPERATIONS[name]


def parameters_of(
    model: type[BaseModel], given: Sequence[str], *, dry_run: bool = False
) -> BaseModel:
    """Read ``key=value`` pairs into a parameter model; a repeated key makes a list.

    Raises ``InvalidRequest`` naming each wrong parameter.
    """
    values: dict[str, Any] = {}
    for item in given:
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise InvalidRequest(
                f"The parameter {short(item)} is not of the form key=value.",
                left="Nothing was touched.",
                cure=f"Known parameters: {', '.join(model.model_fields)}.",
            )
        values.setdefault(key, []).append(_value(text))
    if dry_run:
        values["dry_run"] = [True]
    try:
        return model.model_validate({key: _one(model, key, item) for key, item in values.items()})
    except ValidationError as error:
        raise InvalidRequest(
            f"The parameters are wrong: {explain(error)}.",
            left="Nothing was touched.",
            cure=f"Known parameters: {', '.join(model.model_fields)}.",
        ) from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _one(model: type[BaseModel], key: str, values: list[Any]) -> Any:
    field = model.model_fields.get(key)
    if field is not None and "list" in str(field.annotation):
        return values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return values[-1]
