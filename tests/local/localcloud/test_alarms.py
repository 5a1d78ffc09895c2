"""Conformance: instances are sampled and alarms evaluated, by a clock that can be moved."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import Any

import pytest

from tests.local.localcloud import conftest

pytestmark = pytest.mark.local

MINUTE = 60


def _advance(cloud: Any, minutes: int) -> dt.datetime:
    answer = cloud.control("POST", "clock", {"advance": minutes * MINUTE})
    return dt.datetime.fromisoformat(answer["now"])


def _alarm(cloud: Any, name: str, **changes: Any) -> None:
    given = {
        "AlarmName": name,
        "Namespace": "AWS/RDS",
        "MetricName": "DatabaseConnections",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "shared"}],
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 2,
        "Period": MINUTE,
        "Threshold": 3.0,
        "Statistic": "Maximum",
    }
    cloud.client("cloudwatch").put_metric_alarm(**{**given, **changes})


def _state(cloud: Any, name: str) -> str:
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    return str(found["StateValue"])


def _latest(cloud: Any, metric: str, instance: str, now: dt.datetime) -> list[float]:
    found = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName=metric,
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": instance}],
        StartTime=now - dt.timedelta(minutes=4),
        EndTime=now,
        Period=MINUTE,
        Statistics=["Average"],
    )
    return [point["Average"] for point in found["Datapoints"]]


def test_an_alarm_follows_its_metric_and_tells_its_topics(
    cloud: Any, primary: dict[str, Any], name: str
) -> None:
    # CloudWatch User Guide, "Alarm evaluation": INSUFFICIENT_DATA, then OK and ALARM; an action
    # is taken when the state changes, and only then.
    topic, queue = conftest.queue(cloud, name)
    _alarm(cloud, name, AlarmActions=[topic], OKActions=[topic])
    assert _state(cloud, name) == "INSUFFICIENT_DATA"
    _advance(cloud, 2)
    assert _state(cloud, name) == "OK"
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(cloud.connect(primary["Endpoint"]["Address"]))
        _advance(cloud, 4)
        assert _state(cloud, name) == "ALARM"
    _advance(cloud, 3)
    assert _state(cloud, name) == "OK"
    told = [(row["Subject"], json.loads(row["Message"])) for row in conftest.received(cloud, queue)]
    assert sorted(row["NewStateValue"] for _, row in told) == ["ALARM", "OK", "OK"]
    subject, alarm = next(row for row in told if row[1]["NewStateValue"] == "ALARM")
    assert subject == f'ALARM: "{name}" in US East (N. Virginia)'
    assert (alarm["AlarmName"], alarm["OldStateValue"]) == (name, "OK")
    assert (alarm["AWSAccountId"], alarm["Region"]) == ("123456789012", "US East (N. Virginia)")
    assert "were greater than the threshold (3.0)" in alarm["NewStateReason"]
    assert alarm["Trigger"] == {
        "MetricName": "DatabaseConnections",
        "Namespace": "AWS/RDS",
        "StatisticType": "Statistic",
        "Statistic": "MAXIMUM",
        "Unit": None,
        "Dimensions": [{"value": "shared", "name": "DBInstanceIdentifier"}],
        "Period": 60,
        "EvaluationPeriods": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 3.0,
        "TreatMissingData": "missing",
        "EvaluateLowSampleCountPercentile": "",
    }


MISSING = [
    ("missing", "INSUFFICIENT_DATA"),
    ("ignore", "ALARM"),
    ("breaching", "ALARM"),
    ("notBreaching", "OK"),
]


def test_what_is_missing_is_treated_as_the_alarm_says(cloud: Any, name: str) -> None:
    # CloudWatch API PutMetricAlarm, TreatMissingData. The metric is one of nobody's.
    for treatment, _ in MISSING:
        _alarm(cloud, f"{name}-{treatment}", Namespace=name, TreatMissingData=treatment)
        cloud.client("cloudwatch").set_alarm_state(
            AlarmName=f"{name}-{treatment}", StateValue="ALARM", StateReason="test"
        )
    _advance(cloud, 1)
    found = [(treatment, _state(cloud, f"{name}-{treatment}")) for treatment, _ in MISSING]
    assert found == MISSING


def test_a_metric_of_ones_own_is_evaluated(cloud: Any, name: str) -> None:
    # CloudWatch API PutMetricData: what bears no timestamp is of now.
    _alarm(cloud, name, Namespace=name, Statistic="Sum", EvaluationPeriods=3, DatapointsToAlarm=1)
    data = [{"MetricName": "DatabaseConnections", "Value": 2.0}] * 2
    dimensions = [{"Name": "DBInstanceIdentifier", "Value": "shared"}]
    cloud.client("cloudwatch").put_metric_data(
        Namespace=name, MetricData=[{**item, "Dimensions": dimensions} for item in data]
    )
    _advance(cloud, 1)
    assert _state(cloud, name) == "ALARM"


def test_a_set_state_is_acted_upon(cloud: Any, name: str) -> None:
    # CloudWatch API SetAlarmState: the actions of the state are taken.
    topic, queue = conftest.queue(cloud, name)
    watch = cloud.client("cloudwatch")
    _alarm(cloud, name, AlarmActions=[topic])
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="again")
    (only,) = conftest.received(cloud, queue)
    assert json.loads(only["Message"])["NewStateReason"] == "a drill"
    watch.disable_alarm_actions(AlarmNames=[name])
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="over")
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="unheard")
    assert conftest.received(cloud, queue) == []


def test_metrics_of_a_primary(cloud: Any, primary: dict[str, Any]) -> None:
    # RDS User Guide, "CloudWatch instance-level metrics": units and meanings.
    with cloud.connect(primary["Endpoint"]["Address"]):
        now = _advance(cloud, 3)
    free = _latest(cloud, "FreeStorageSpace", "shared", now)[-1]
    assert 19 * 1024**3 < free < 20 * 1024**3
    assert 0 <= _latest(cloud, "CPUUtilization", "shared", now)[-1] <= 100
    assert _latest(cloud, "DatabaseConnections", "shared", now)[-1] >= 1
    assert _latest(cloud, "ReplicaLag", "shared", now) == []


def test_lag_of_a_replica(cloud: Any, primary: dict[str, Any], name: str) -> None:
    # RDS User Guide, "Monitoring read replication": seconds since the last replayed
    # transaction; -1 when replication is not active.
    cloud.client("rds").create_db_instance_read_replica(
        DBInstanceIdentifier=name, SourceDBInstanceIdentifier="shared"
    )
    found = cloud.await_status(name)
    with cloud.connect(primary["Endpoint"]["Address"]) as source:
        source.execute(f'CREATE TABLE "{name}" ()')
    now = _advance(cloud, 3)
    first, *_, last = _latest(cloud, "ReplicaLag", name, now)
    assert 0 <= first < last <= 5 * MINUTE
    assert found["ReadReplicaSourceDBInstanceIdentifier"] == "shared"
    cloud.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


@pytest.mark.parametrize("body", [{}, {"advance": 0}, {"advance": -1}, {"advance": 1e9}, []])
def test_the_clock_goes_forward_only(cloud: Any, body: object) -> None:
    before = cloud.control("GET", "clock")["ahead"]
    with pytest.raises(OSError, match="400"):
        cloud.control("POST", "clock", body)
    assert cloud.control("GET", "clock")["ahead"] == before
