"""The table of RDS operations: each module adds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.rds import faults

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: where it was made, and its parameters under AWS's names."""

    home: Home
    operation: str
    parameters: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or ``default`` when it was not given."""
        value = self.parameters.get(name)
        return default if value is None else value

    def need(self, name: str) -> Any:
        """Return a parameter; raise the fault AWS raises when it was not given."""
        value = self.parameters.get(name)
        if value in (None, ""):
            raise faults.missing(name)
        return value

    def has(self, name: str) -> bool:
        """Tell whether a parameter was given, whatever its value."""
        return self.parameters.get(name) is not None


Handler = Callable[[Call], Answer]
OPERATIONS: dict[str, Handler] = {}


def operation(name: str) -> Callable[[Handler], Handler]:
    """Register a function as the implementation of one RDS operation."""

    def register(handler: Handler) -> Handler:
        OPERATIONS[name] = handler
        return handler

    return register


def filters(call: Call, allowed: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the filters of a Describe call; refuse a name that the call does not know."""
    given: dict[str, list[str]] = {}
    for item in call.get("Filters", []):
        if item["Name"] not in allowed:
            raise faults.invalid_value(f"Unrecognized filter name: {item['Name']}")
        given[item["Name"]] = [str(value) for value in item.get("Values", [])]
    return given
