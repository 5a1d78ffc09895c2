"""What every kind of resource has in common: an address, attributes with a price, references.

A kind is a frozen dataclass. Its attributes are the fields made with ``attribute``; the same
type describes what is wanted and what was found, so a difference is found field by field.
A value that is only known once another resource exists (a key's ARN, an endpoint) is written
as a reference, ``${address#output}``, anywhere inside a string, and resolved later.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from haven.plan import Change, Cost

REFERENCE = re.compile(r"\$\{([^#}]+)#([^}]+)\}")
HIDDEN_LENGTH = 160

R_co = TypeVar("R_co", bound="Resource", covariant=True)
Known = Mapping[str, Mapping[str, str]]
Same = Callable[[Any, Any], bool]


def equal(wanted: object, found: object) -> bool:
    """Compare as they are."""
    return wanted == found


def same_json(wanted: str, found: str) -> bool:
    """Compare two JSON texts by meaning."""
    return canonical(wanted) == canonical(found)


def at_least(wanted: int, found: int) -> bool:
    """Accept more than what is wanted: a floor, as for storage that grows by itself."""
    return found >= wanted


def accept_any(_wanted: object, _found: object) -> bool:
    """Accept whatever was found: a value that matters only when the resource is made."""
    return True


def canonical(text: str) -> str:
    """Return JSON text in canonical form; one-element lists equal their element (IAM, S3)."""
    if not text:
        return ""
    return json.dumps(_simple(json.loads(text)), sort_keys=True)


def _simple(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _simple(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_simple(item) for item in value), key=_key)
        return items[0] if len(items) == 1 else items
    return value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def attribute(
    *, cost: Cost = Cost.NOTHING, same: Same = equal, default: Any = dataclasses.MISSING
) -> Any:
    """Declare a field that is compared; ``cost`` is what changing it costs."""
    return field(default=default, metadata={"cost": cost, "same": same})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something that should exist, or was found."""

    kind: ClassVar[str]
    tagged: ClassVar[bool] = True
    name: str
    region: str
    role: str = ""
    after: tuple[str, ...] = ()
    # Tags of its own, besides those of every resource of a stack.
    marks: tuple[tuple[str, str], ...] = ()

    @property
    def address(self) -> str:
        """The unique name of this resource within its stack."""
        return f"{self.kind}/{self.region}/{self.name}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Addresses that must exist first: those referred to, and those named in ``after``."""
        named = {found.group(1) for found in _references(dataclasses.astuple(self))}
        return tuple(sorted(named.union(self.after)))

    def output(self, name: str) -> str:
        """Return a reference to an output of this resource."""
        return f"${{{self.address}#{name}}}"

    def resolve(self, known: Known) -> Self:
        """Return a copy in which every reference that is known is replaced by its value."""
        values = {
            item.name: _resolved(getattr(self, item.name), known)
            for item in dataclasses.fields(self)
        }
        return type(self)(**values)


@dataclass(frozen=True, slots=True)
class Found(Generic[R_co]):
    """A resource as it was found, its tags (None where unknown yet) and what others may ask."""

    resource: R_co
    arn: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None


def differences(wanted: Resource, found: Resource) -> tuple[Change, ...]:
    """Compare two resources of one kind attribute by attribute."""
    changes = []
    for item in dataclasses.fields(wanted):
        if "same" not in item.metadata:
            continue
        want, have = getattr(wanted, item.name), getattr(found, item.name)
        if unresolved(want) or not item.metadata["same"](want, have):
            changes.append(Change(item.name, shown(want), shown(have), item.metadata["cost"]))
    return tuple(changes)


def unresolved(value: object) -> bool:
    """Tell whether a value still holds a reference."""
    return next(_references((value,)), None) is not None


def shown(value: object) -> str:
    """Return a value as plans print it: references in words, long texts cut."""
    text = json.dumps(value, default=str) if not isinstance(value, str) else value
    text = REFERENCE.sub(r"(known after \1)", text) or "nothing"
    return text if len(text) <= HIDDEN_LENGTH else text[:HIDDEN_LENGTH] + "…"


def _references(value: object) -> Iterator[re.Match[str]]:
    if isinstance(value, str):
        yield from REFERENCE.finditer(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _references(item)


def _resolved(value: Any, known: Known) -> Any:
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: known.get(match[1], {}).get(match[2], match[0]), value)
    if isinstance(value, tuple):
        return tuple(_resolved(item, known) for item in value)
    return value
