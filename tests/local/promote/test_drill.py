"""A drill: everything on copies, nothing of the stack touched, nothing left."""

from __future__ import annotations

import pytest

from flows.promotion_scene import look
from haven.promotion.steps import Step
from tests.local.promote.conftest import by_proxy, control, promote, until, writing
from tests.local.provision.conftest import Place

ENVIRONMENT = "drill"
PREFIX = f"haven-tests-{ENVIRONMENT}"
MEASURED = [Step.FENCE, Step.DRAIN, Step.PROMOTE, Step.OPEN, Step.POINT]


def scratch(stack: Place) -> list[str]:
    """Return what is there of copies and proxies to them."""
    rds = stack.client("rds")
    found = [item["DBInstanceIdentifier"] for item in rds.describe_db_instances()["DBInstances"]]
    found += [item["DBProxyName"] for item in rds.describe_db_proxies()["DBProxies"]]
    return [name for name in found if name.startswith(f"{PREFIX}-scratch")]


def test_a_drill_measures_and_leaves_everything_as_it_was(stack: Place) -> None:
    control(stack, "clock", advance=301)
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 10)
        report = promote(stack, mode="drill")
        before = writer.refused
        until(lambda: len(writer.acknowledged) > 20)
    assert (before, writer.refused) == (0, 0)
    assert [name for name, _, _ in report.timeline if name in MEASURED] == MEASURED
    assert report.switch_seconds is not None
    assert "nothing of the stack has changed" in report.details
    assert scratch(stack) == []
    scene = look(stack.run())
    assert scene.name == f"{PREFIX}-primary"
    assert stack.provision(dry_run=True).steps == []


@pytest.mark.parametrize("step", ["create_db_instance_read_replica", "promote_read_replica"])
def test_what_a_failed_drill_made_is_gone(stack: Place, step: str) -> None:
    operation = "".join(word.capitalize() for word in step.split("_")).replace("Db", "DB")
    denied = {"code": "AccessDenied", "operation": operation}
    control(stack, "faults", kind="error", status=403, times=1000, **denied)
    try:
        with pytest.raises(Exception, match="AccessDenied"):
            promote(stack, mode="drill")
    finally:
        control(stack, "faults", method="DELETE")
    assert scratch(stack) == []
