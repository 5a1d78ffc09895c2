"""Differences, references and resolution, as rows."""

from typing import Any

import pytest

from haven.plan import Cost
from haven.stack.instance import Instance, same_major
from haven.stack.key import Key
from haven.stack.network import SecurityRules, rule
from haven.stack.resource import canonical, differences, same_json, shown, unresolved

KEY = Key(name="k", region="r", description="d", policy='{"a": [1]}', rotation_days=365)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, []),
        ({"policy": '{"a": 1}'}, []),
        ({"description": "other"}, []),
        ({"rotation_days": 0}, ["rotation_days"]),
        ({"policy": '{"a": 2}', "enabled": False}, ["policy", "enabled"]),
    ],
)
def test_only_attributes_that_differ_by_meaning_are_changes(found, expected):
    values = {
        "name": "k",
        "region": "r",
        "description": "d",
        "policy": '{"a": [1]}',
        "rotation_days": 365,
    }
    changes = differences(KEY, Key(**(values | found)))
    assert [change.attribute for change in changes] == expected


def test_a_reference_resolves_wherever_it_stands_and_makes_a_need():
    rules = SecurityRules(
        name="x",
        region="r",
        group="${security-group/r/db#id}",
        rules=(rule("ingress", 5432, "${security-group/r/app#id}"),),
    )
    assert rules.needs == ("security-group/r/app", "security-group/r/db")
    resolved = rules.resolve(
        {"security-group/r/db": {"id": "sg-1"}, "security-group/r/app": {"id": "sg-2"}}
    )
    assert resolved.group == "sg-1"
    assert resolved.rules == ("ingress tcp 5432 sg-2",)
    assert not unresolved(resolved.rules)


def test_what_is_not_known_yet_is_a_difference_and_is_said_in_words():
    wanted = KEY.resolve({})
    pending = type(KEY)(
        name="k", region="r", description="d", policy="${key/r/other#arn}", rotation_days=365
    )
    changes = differences(pending, wanted)
    assert [change.attribute for change in changes] == ["policy"]
    assert changes[0].wanted == "(known after key/r/other)"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("", "", True),
        ("", "{}", False),
        ('{"Action": ["a"]}', '{"Action": "a"}', True),
        ('{"Action": ["a", "b"]}', '{"Action": ["b", "a"]}', True),
        ('{"Action": ["a", "b"]}', '{"Action": ["a"]}', False),
    ],
)
def test_policies_are_compared_by_meaning(one, other, same):
    assert same_json(one, other) is same


def test_canonical_text_is_stable():
    assert canonical('{"b": 1, "a": 2}') == canonical('{"a": 2, "b": 1}')


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [("15", "15.18", True), ("15", "16.1", False), ("15.4", "15.5", False), ("1", "15.1", False)],
)
def test_minor_upgrades_by_aws_are_no_drift(wanted, found, same):
    assert same_major(wanted, found) is same


def test_long_values_are_cut():
    assert len(shown("x" * 1000)) < 200


def instance(**changes):
    values: dict[str, Any] = {
        "name": "i",
        "region": "us-east-1",
        "subnet_group": "g",
        "engine_version": "15",
        "instance_class": "db.t4g.medium",
        "database": "d",
        "master_username": "m",
        "port": 5432,
        "multi_az": True,
        "storage_type": "gp3",
        "allocated_gib": 20,
        "max_allocated_gib": 100,
        "key": "arn",
        "security_groups": ("sg-1", "sg-2"),
        "parameter_group": "p",
        "backup_retention_days": 35,
        "backup_window": "03:00-04:00",
        "maintenance_window": "sun:04:00-sun:05:00",
        "deletion_protection": True,
        "auto_minor_upgrade": True,
        "monitoring_interval": 60,
        "monitoring_role": "arn",
        "performance_insights_days": 7,
        "log_exports": ("postgresql",),
        "ca_certificate": "rds-ca-rsa2048-g1",
    }
    return Instance(**(values | changes))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, []),
        ({"engine_version": "15.9"}, []),
        ({"allocated_gib": 40}, []),
        ({"security_groups": ("sg-2", "sg-1")}, []),
        ({"iops": 3000}, []),
        ({"status": "backing-up"}, []),
        ({"allocated_gib": 10}, [("allocated_gib", Cost.NOTHING)]),
        ({"instance_class": "db.t4g.large"}, [("instance_class", Cost.OUTAGE)]),
        ({"parameters_applied": False}, [("parameters_applied", Cost.REBOOT)]),
        ({"key": "other"}, [("key", Cost.REPLACEMENT)]),
        ({"public": True}, [("public", Cost.NOTHING)]),
        ({"deletion_protection": False}, [("deletion_protection", Cost.NOTHING)]),
    ],
)
def test_each_difference_of_an_instance_has_its_price(found, expected):
    changes = differences(instance(), instance(**found))
    assert [(change.attribute, change.cost) for change in changes] == expected
