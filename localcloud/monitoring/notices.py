"""What CloudWatch tells a topic when an alarm changes its state.

Source: the shape of alarm notifications in the CloudWatch User Guide, "Notifying users on alarm
changes".
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import Any

import botocore.session

from localcloud.monitoring.evaluation import ALARM, OK

_SUBJECT_LIMIT = 100


@functools.cache
def _regions() -> dict[str, str]:
    loader = botocore.session.get_session().get_component("data_loader")
    partitions = loader.load_data("endpoints")["partitions"]
    return {
        name: str(facts["description"])
        for partition in partitions
        for name, facts in partition["regions"].items()
    }


def region(name: str) -> str:
    """Return a region by the words AWS has for it."""
    return _regions().get(name, name)


def subject(alarm: Any) -> str:
    """Return the subject of a notice."""
    text = f'{alarm.state_value}: "{alarm.name}" in {region(alarm.region_name)}'
    return text.encode("ascii", "replace").decode()[:_SUBJECT_LIMIT]


def actions(alarm: Any) -> list[str]:
    """Return what is to be told of the state an alarm is in, when its actions are enabled."""
    if not alarm.actions_enabled:
        return []
    if alarm.state_value == ALARM:
        return list(alarm.alarm_actions or [])
    if alarm.state_value == OK:
        return list(alarm.ok_actions or [])
    return list(alarm.insufficient_data_actions or [])


def message(alarm: Any, before: str, account: str, moment: dt.datetime) -> str:
    """Return the notice of a change from ``before`` to the state an alarm is in."""
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description or None,
            "AWSAccountId": account,
            "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configuration_updated_timestamp),
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": stamp(moment),
            "Region": region(alarm.region_name),
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": before,
            "OKActions": list(alarm.ok_actions or []),
            "AlarmActions": list(alarm.alarm_actions or []),
            "InsufficientDataActions": list(alarm.insufficient_data_actions or []),
            "Trigger": _trigger(alarm),
        }
    )


def _trigger(alarm: Any) -> dict[str, Any]:
    statistic = (
        {"StatisticType": "Statistic", "Statistic": alarm.statistic.upper()}
        if alarm.statistic
        else {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm.extended_statistic}
    )
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        **statistic,
        "Unit": alarm.unit,
        "Dimensions": [{"value": item.value, "name": item.name} for item in alarm.dimensions],
        "Period": int(alarm.period or 0),
        "EvaluationPeriods": int(alarm.evaluation_periods or 0),
        **(
            {"DatapointsToAlarm": int(alarm.datapoints_to_alarm)}
            if alarm.datapoints_to_alarm
            else {}
        ),
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": float(alarm.threshold or 0),
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }


def stamp(moment: dt.datetime) -> str:
    """Return a moment as notices write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
