"""boto3's paginators walk more than one page of everything that a stack lists, missing nothing."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.local.localcloud.crowd import COUNT, TOPICS, make_crowd, names

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def crowd(cloud: Any) -> dict[str, str]:
    prefix = f"crowd-{secrets.token_hex(3)}"
    return {"prefix": prefix, **make_crowd(cloud.client, prefix)}


# Service, paginator, what it is asked for ({} from the crowd), page size, what names an entry,
# and how many of the crowd there are.
ROWS = [
    ("kms", "list_aliases", {}, 1, "Aliases[].AliasName", 3),
    ("iam", "list_roles", {}, 1, "Roles[].RoleName", 3),
    ("iam", "list_policies", {"Scope": "Local"}, 1, "Policies[].PolicyName", 3),
    ("iam", "list_role_policies", {"RoleName": "{role}"}, 1, "PolicyNames[]", 3),
    (
        "iam",
        "list_attached_role_policies",
        {"RoleName": "{role}"},
        1,
        "AttachedPolicies[].PolicyName",
        3,
    ),
    ("iam", "list_role_tags", {"RoleName": "{role}"}, 1, "Tags[].Key", 3),
    (
        "iam",
        "get_account_authorization_details",
        {"Filter": ["Role"]},
        1,
        "RoleDetailList[].RoleName",
        3,
    ),
    ("secretsmanager", "list_secrets", {}, 1, "SecretList[].Name", 3),
    ("cloudwatch", "describe_alarms", {}, 1, "MetricAlarms[].AlarmName", 3),
    ("logs", "describe_log_groups", {}, 1, "logGroups[].logGroupName", 3),
    ("logs", "describe_log_streams", {"logGroupName": "{log}"}, 1, "logStreams[].logStreamName", 3),
    ("logs", "filter_log_events", {"logGroupName": "{log}"}, 1, "events[].message", 3),
    ("ec2", "describe_security_groups", {}, 5, "SecurityGroups[].GroupName", COUNT),
    (
        "rds",
        "describe_db_parameter_groups",
        {},
        20,
        "DBParameterGroups[].DBParameterGroupName",
        COUNT,
    ),
    ("rds", "describe_db_subnet_groups", {}, 20, "DBSubnetGroups[].DBSubnetGroupName", COUNT),
    (
        "rds",
        "describe_event_subscriptions",
        {},
        20,
        "EventSubscriptionsList[].CustSubscriptionId",
        COUNT,
    ),
    ("s3", "list_buckets", {}, 1, "Buckets[].Name", 3),
    ("s3", "list_objects", {"Bucket": "{bucket}"}, 1, "Contents[].Key", 3),
    ("s3", "list_objects_v2", {"Bucket": "{bucket}"}, 1, "Contents[].Key", 3),
    ("s3", "list_object_versions", {"Bucket": "{bucket}"}, 1, "Versions[].Key", 3),
    ("sns", "list_topics", {}, None, "Topics[].TopicArn", TOPICS),
    ("sns", "list_subscriptions", {}, None, "Subscriptions[].Endpoint", TOPICS),
    (
        "sns",
        "list_subscriptions_by_topic",
        {"TopicArn": "{topic}"},
        None,
        "Subscriptions[].Endpoint",
        TOPICS,
    ),
    ("route53", "list_hosted_zones", {}, 1, "HostedZones[].Name", 3),
    (
        "route53",
        "list_resource_record_sets",
        {"HostedZoneId": "{zone}"},
        1,
        "ResourceRecordSets[?Type=='CNAME'].ResourceRecords[0].Value",
        3,
    ),
    (
        "resourcegroupstaggingapi",
        "get_resources",
        {"TagFilters": [{"Key": "crowd"}]},
        1,
        "ResourceTagMappingList[].ResourceARN",
        3,
    ),
]


@pytest.mark.parametrize(
    ("service", "paginator", "asked", "size", "what", "count"),
    ROWS,
    ids=[f"{row[0]} {row[1]}" for row in ROWS],
)
def test_every_page_is_walked_and_nothing_missed(
    cloud: Any,
    crowd: dict[str, str],
    service: str,
    paginator: str,
    asked: dict[str, Any],
    size: int | None,
    what: str,
    count: int,
) -> None:
    arguments = {
        key: value.format(**crowd) if isinstance(value, str) else value
        for key, value in asked.items()
    }
    paging = {"PageSize": size} if size else {}
    listed = cloud.client(service).get_paginator(paginator)
    pages = len(list(listed.paginate(**arguments, PaginationConfig=paging)))
    seen = list(listed.paginate(**arguments, PaginationConfig=paging).search(what))
    for name in names(crowd["prefix"], count):
        assert sum(name in str(item).rsplit("/", 1)[-1] for item in seen) == 1, name
    assert pages > 1
    if size:
        assert len(seen) <= size * pages
