"""CloudWatch alarms, RDS event subscriptions, log groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack import names
from haven.stack.resource import Found, Resource
from haven.stack.watch import Alarm, EventSubscription, LogGroup
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only

NAMESPACE = "AWS/RDS"
DIMENSION = "DBInstanceIdentifier"
SOURCE_TYPE = "db-instance"


@looks
def observe_alarms(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read every alarm of the stack in one request."""
    client = site.cloud.client("cloudwatch", region)
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=site.stack.prefix)
    by_name = {item["AlarmName"]: item for page in pages for item in page["MetricAlarms"]}
    return {
        alarm.address: _read_alarm(alarm, by_name[alarm.name])
        for alarm in only(Alarm, wanted)
        if alarm.name in by_name
    }


def _read_alarm(alarm: Alarm, item: dict[str, Any]) -> Found[Resource]:
    dimensions = {entry["Name"]: entry["Value"] for entry in item["Dimensions"]}
    return Found(
        Alarm(
            name=alarm.name,
            region=alarm.region,
            description=item.get("AlarmDescription", ""),
            instance=dimensions.get(DIMENSION, ""),
            metric=item["MetricName"],
            statistic=item.get("Statistic", ""),
            comparison=item["ComparisonOperator"],
            threshold=item["Threshold"],
            period=item["Period"],
            periods=item["EvaluationPeriods"],
            missing_data=item.get("TreatMissingData", "missing"),
            actions=tuple(item["AlarmActions"]),
            actions_enabled=item.get("ActionsEnabled", True),
        ),
        item["AlarmArn"],
    )


@changes
def apply_alarm(
    site: Site, alarm: Alarm, found: Found[Alarm] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Write the whole alarm; it tells when it fires and when all is well again."""
    client = site.client("cloudwatch", alarm)
    client.put_metric_alarm(
        AlarmName=alarm.name,
        AlarmDescription=alarm.description,
        Namespace=NAMESPACE,
        MetricName=alarm.metric,
        Dimensions=[{"Name": DIMENSION, "Value": alarm.instance}],
        Statistic=alarm.statistic,
        ComparisonOperator=alarm.comparison,
        Threshold=alarm.threshold,
        Period=alarm.period,
        EvaluationPeriods=alarm.periods,
        TreatMissingData=alarm.missing_data,
        ActionsEnabled=alarm.actions_enabled,
        AlarmActions=list(alarm.actions),
        OKActions=list(alarm.actions),
        **({} if found else {"Tags": site.tag_list(alarm)}),
    )
    arn = f"arn:aws:cloudwatch:{alarm.region}:{site.stack.account}:alarm:{alarm.name}"
    return Found(alarm, arn, {}, site.tags(alarm))


@changes
def delete_alarm(site: Site, found: Found[Alarm]) -> None:
    """Delete the alarm."""
    site.client("cloudwatch", found.resource).delete_alarms(AlarmNames=[found.resource.name])


@looks
def observe_event_subscriptions(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read the stack's event subscription in a region."""
    rds = site.cloud.client("rds", region)
    found: dict[str, Found[Resource]] = {}
    for item in only(EventSubscription, wanted):
        try:
            answer = rds.describe_event_subscriptions(SubscriptionName=item.name)
        except ClientError as error:
            if is_code(error, "SubscriptionNotFound", "SubscriptionNotFoundFault"):
                continue
            raise
        for seen in answer["EventSubscriptionsList"]:
            found[item.address] = Found(
                EventSubscription(
                    name=item.name,
                    region=item.region,
                    topic=seen["SnsTopicArn"],
                    categories=tuple(seen.get("EventCategoriesList", ())),
                    enabled=seen["Enabled"],
                ),
                names.rds_arn(site.stack, item.region, "es", item.name),
            )
    return found


@changes
def apply_event_subscription(
    site: Site,
    item: EventSubscription,
    found: Found[EventSubscription] | None,
    _: Sequence[Change],
) -> Found[Resource]:
    """Make or modify the subscription; without source ids it covers future instances too."""
    rds = site.client("rds", item)
    arguments: dict[str, Any] = {
        "SubscriptionName": item.name,
        "SnsTopicArn": item.topic,
        "SourceType": SOURCE_TYPE,
        "EventCategories": list(item.categories),
        "Enabled": item.enabled,
    }
    if found:
        rds.modify_event_subscription(**arguments)
    else:
        rds.create_event_subscription(**arguments, Tags=site.tag_list(item))
    arn = names.rds_arn(site.stack, item.region, "es", item.name)
    return Found(item, arn, {}, site.tags(item))


@changes
def delete_event_subscription(site: Site, found: Found[EventSubscription]) -> None:
    """Delete the subscription."""
    site.client("rds", found.resource).delete_event_subscription(
        SubscriptionName=found.resource.name
    )


@looks
def observe_log_groups(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read every log group of the stack's instances in one request."""
    logs = site.cloud.client("logs", region)
    prefix = f"/aws/rds/instance/{site.stack.prefix}"
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    by_name = {item["logGroupName"]: item for page in pages for item in page["logGroups"]}
    found: dict[str, Found[Resource]] = {}
    for group in only(LogGroup, wanted):
        item = by_name.get(group.name)
        if item:
            seen = LogGroup(
                name=group.name,
                region=group.region,
                retention_days=item.get("retentionInDays", 0),
            )
            found[group.address] = Found(seen, item["arn"].removesuffix(":*"))
    return found


@changes
def apply_log_group(
    site: Site, group: LogGroup, found: Found[LogGroup] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Make the log group, then set how long it keeps what it gets."""
    logs = site.client("logs", group)
    if not found:
        try:
            logs.create_log_group(logGroupName=group.name, tags=site.tags(group))
        except ClientError as error:
            if not is_code(error, "ResourceAlreadyExistsException"):
                raise
    logs.put_retention_policy(logGroupName=group.name, retentionInDays=group.retention_days)
    arn = f"arn:aws:logs:{group.region}:{site.stack.account}:log-group:{group.name}"
    return Found(group, arn, {}, site.tags(group))


@changes
def delete_log_group(site: Site, found: Found[LogGroup]) -> None:
    """Delete the log group with what is in it."""
    try:
        site.client("logs", found.resource).delete_log_group(logGroupName=found.resource.name)
    except ClientError as error:
        if not is_code(error, "ResourceNotFoundException"):
            raise
