"""Hostile names in a stack file: refused, or every ARN and policy made of them is what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest
from pydantic import ValidationError

from haven.stack import names
from haven.stack.model import Stack
from haven.stack.topology import topology
from tests.local.names.hostile import hostile_names

GOOD: dict[str, Any] = {"project": "tests", "environment": "names", "account": "123456789012"}
ARN_PARTS = 6


def places(name: str) -> Iterator[dict[str, Any]]:
    """Every entry of a stack file that ends in a name, an ARN, a policy or SQL."""
    for entry in ("project", "environment", "account", "region", "recovery_region"):
        yield {entry: name}
    for section, entry in (
        *(("database", "name"), ("database", "master_username"), ("database", "engine_version")),
        *(("database", "instance_class"), ("network", "vpc"), ("recovery_network", "vpc")),
        *(("backups", "window"), ("backups", "maintenance_window"), ("storage", "type")),
    ):
        yield {section: {entry: name}}
    yield {"replicas": {"zones": [name]}}
    yield {"network": {"subnets": [name]}}
    yield {"database": {"parameters": {name: "1"}}}


def texts(value: object) -> Iterator[str]:
    """Every text in what the topology holds, and in the policies among them."""
    if isinstance(value, str):
        yield value
        if value.startswith("{"):
            yield from texts(json.loads(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (*texts(key), *texts(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize("suffix", ["", "-a", "_a"])
def test_a_hostile_name_never_gets_into_an_arn(suffix):
    tried, accepted = 0, 0
    for name in hostile_names():
        for place in places(name + suffix):
            stack = accept(place)
            tried += 1
            if stack is not None:
                accepted += 1
                check(stack)
    assert tried >= 1000
    assert accepted < tried / 100


def accept(place: dict[str, Any]) -> Stack | None:
    try:
        return Stack.model_validate(GOOD | place)
    except ValidationError:
        return None


def check(stack: Stack) -> None:
    found = [text for item in topology(stack) for text in texts(astuple(item))]
    arns = [text for text in found if text.startswith("arn:")]
    assert len(arns) >= 10
    arns += [names.rds_arn(stack, stack.region, "db", names.primary(stack))]
    for arn in arns:
        parts = arn.split(":", ARN_PARTS - 1)
        assert len(parts) == ARN_PARTS, arn
        assert parts[4] in {"", "aws", stack.account}, arn
        assert arn.isascii(), arn
        assert arn.isprintable(), arn
        assert not set(arn) & set("\"'\\%;,() "), arn
