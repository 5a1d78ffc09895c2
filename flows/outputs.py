"""What others need to know of a stack: endpoints, ARNs, and what a person still has to do."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from haven.stack.instance import Instance
from haven.stack.key import Key
from haven.stack.proxy import Proxy
from haven.stack.resource import Found, Resource
from haven.stack.secret import Pointer, Secret
from haven.stack.topic import Topic


class Output(BaseModel):
    """One named value; none of them is a secret."""

    name: str = Field(description="For example primary.endpoint or secret.haven_app_a.arn.")
    value: str


def outputs_of(observed: Mapping[str, Found[Resource]]) -> list[Output]:
    """Return endpoints and ARNs of a stack in a fixed order."""
    outputs: list[Output] = []
    for found in sorted(observed.values(), key=lambda item: item.resource.address):
        outputs += _of_one(found)
    return outputs


def _of_one(found: Found[Resource]) -> list[Output]:
    resource = found.resource
    match resource:
        case Instance():
            return _endpoint(f"instance.{resource.name}", found)
        case Proxy():
            return _endpoint(f"proxy.{resource.region}", found)
        case Secret() | Pointer():
            return [Output(name=f"secret.{resource.name.rsplit('/', 1)[-1]}.arn", value=found.arn)]
        case Key():
            return [Output(name=f"key.{resource.region}.arn", value=found.arn)]
        case Topic():
            return [Output(name=f"topic.{resource.region}.arn", value=found.arn)]
        case _:
            return []


def _endpoint(name: str, found: Found[Resource]) -> list[Output]:
    outputs = [Output(name=f"{name}.arn", value=found.arn)]
    if "host" in found.outputs:
        port = found.outputs.get("port", "5432")
        host = found.outputs["host"]
        outputs.append(Output(name=f"{name}.endpoint", value=f"{host}:{port}"))
    return outputs


def warnings_of(observed: Mapping[str, Found[Resource]]) -> list[str]:
    """Say what only a person can finish."""
    return [
        f"{found.resource.address}: {found.outputs['unconfirmed']} has to confirm the "
        "subscription by the link in the e-mail before any alarm reaches it"
        for found in observed.values()
        if isinstance(found.resource, Topic) and found.outputs.get("unconfirmed")
    ]
