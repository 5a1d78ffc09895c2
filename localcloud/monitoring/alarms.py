"""Evaluating alarms at a moment, and acting on those that change their state."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sns.models import sns_backends

from localcloud.monitoring import evaluation, notices, series
from localcloud.monitoring.evaluation import Rule, Verdict
from localcloud.monitoring.series import Series

LOG = logging.getLogger("localcloud")


def rule_of(alarm: Any) -> Rule | None:
    """Return the rule of an alarm on one metric; nothing for those on expressions or alarms."""
    if alarm.rule or alarm.metric_data_queries or not evaluation.known(alarm.comparison_operator):
        return None
    periods = int(alarm.evaluation_periods)
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        periods=periods,
        to_alarm=int(alarm.datapoints_to_alarm or periods),
        missing=alarm.treat_missing_data or "missing",
    )


def longest(alarms: list[Any]) -> dt.timedelta:
    """Return how far back the alarms look."""
    rules = [(alarm, rule) for alarm in alarms if (rule := rule_of(alarm)) is not None]
    spans = [rule.looked_at * int(alarm.period) for alarm, rule in rules]
    return dt.timedelta(seconds=max(spans, default=0))


def evaluate(alarm: Any, data: Series, moment: dt.datetime) -> Verdict | None:
    """Return what an alarm is to be at a moment, or nothing when it cannot be evaluated."""
    rule = rule_of(alarm)
    if rule is None:
        return None
    seconds = int(alarm.period)
    metric = series.key(alarm.namespace, alarm.metric_name, alarm.dimensions)
    start = moment - dt.timedelta(seconds=seconds * rule.looked_at)
    found = data.between(metric, start, moment, alarm.unit)
    statistic = alarm.statistic or alarm.extended_statistic
    values = series.periods(found, statistic, moment, seconds, rule.looked_at)
    return evaluation.evaluate(rule, values, alarm.state_value)


def details(alarm: Any, verdict: Verdict, moment: dt.datetime) -> str:
    """Return the reason for machines, as DescribeAlarms shows it."""
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": notices.stamp(moment),
            "statistic": alarm.statistic,
            "period": int(alarm.period),
            "recentDatapoints": list(verdict.recent),
            "threshold": float(alarm.threshold),
        }
    )


def settle(account: str, alarm: Any, before: str, moment: dt.datetime) -> None:
    """Date the state an alarm was put into; when it is another one, tell the topics it names."""
    alarm.state_updated_timestamp = moment.replace(tzinfo=None)
    if alarm.state_value != before:
        _tell(account, alarm, before, moment)


def _tell(account: str, alarm: Any, before: str, moment: dt.datetime) -> None:
    text = notices.message(alarm, before, account, moment)
    for action in notices.actions(alarm):
        parts = action.split(":")
        if parts[2] != "sns":
            continue
        try:
            topics = sns_backends[account][parts[3]]
            topics.publish(text, arn=action, subject=notices.subject(alarm))
        except (ServiceException, KeyError, ValueError):
            # AWS notes a failed action in the alarm's history; the alarm is what it is.
            LOG.warning("The alarm %s could not tell %s.", alarm.name, action)
