"""The canonical inventory of an account: all there is in it, without what chance or time chose.

Two runs that made the same stack have equal inventories. It is read by plain boto3 calls that
share nothing with Haven. Identifiers made by AWS are replaced by the names of what they stand
for, times are left out, and of a secret only the keys of its content and the stages are kept.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3

REGIONS = ("us-east-1", "us-west-2")
MAIN = REGIONS[0]
# Set by time or chance, told again elsewhere, or how a change was once asked for (ApplyMethod).
VOLATILE = re.compile(
    r"(Date|Time|Timestamp|TimeStamp|Updated|At|Version(s?)Id.*|Token|Etag|ETag|RequestId|"
    r"ResponseMetadata|VersionNumber|CallerReference|SubmittedAt|HostId|ValidTill|"
    r"StateReason|StateReasonData|StateValue|StatusInfos|NextRotationDate|LatestRestorable.*|"
    r"RestoreWindow|ApplyMethod|Owner|ResourceRecordSetCount)$"
)
# Identifiers that nothing else has to be told apart by.
MADE_UP = re.compile(
    r"\b(sgr|vpc|subnet|ab|prx-tg|acl)-[0-9a-z]{15,}"
    r"|(?<=alerts:)[0-9a-f]{8}-[0-9a-f-]{27}"
)
Entries = Iterator[tuple[str, Any]]
Names = Iterator[tuple[str, str]]


class Account:
    """Clients of one local cloud."""

    def __init__(self, endpoint_url: str) -> None:
        """Prepare; no call is made."""
        self._session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
        self._endpoint = endpoint_url
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = MAIN) -> Any:
        """Return the client of a service."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service, region_name=region, endpoint_url=self._endpoint
            )
        return self._clients[key]

    def inventory(self) -> dict[str, Any]:
        """Return everything there is, by a name for each thing."""
        entries: dict[str, Any] = {}
        for region in REGIONS:
            for service, look in REGIONAL.items():
                for name, value in look(self.client(service, region)):
                    _keep(entries, f"{region} {service} {name}", value)
        for service, look in GLOBAL.items():
            for name, value in look(self.client(service)):
                _keep(entries, f"{service} {name}", value)
        return _renamed(entries, dict(self._identifiers()))

    def _identifiers(self) -> Iterator[tuple[str, str]]:
        """Yield what AWS made up, and what it stands for."""
        for region in REGIONS:
            for service, names in NAMES.items():
                for identifier, name in names(self.client(service, region)):
                    yield identifier, f"<{name} {region}>"


def _keep(entries: dict[str, Any], name: str, value: Any) -> None:
    """Keep an entry; a second one of the same name is kept as the duplicate it is."""
    while name in entries:
        name += " (again)"
    entries[name] = _stable(value)


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _stable(item) for key, item in sorted(value.items()) if not VOLATILE.search(key)
        }
    if isinstance(value, list):
        return sorted((_stable(item) for item in value), key=json.dumps)
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(ValueError):
            return _stable(json.loads(value))
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _renamed(entries: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    text = json.dumps(entries, sort_keys=True)
    for identifier in sorted(names, key=len, reverse=True):
        text = text.replace(identifier, names[identifier])
    text = MADE_UP.sub(r"<\1>", text)
    loaded = json.loads(text)
    return {name: _stable(value) for name, value in sorted(loaded.items())}


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    pages = client.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page[key]]


def _keys(kms: Any) -> Entries:
    aliases = {
        alias["TargetKeyId"]: alias["AliasName"]
        for alias in _pages(kms, "list_aliases", "Aliases")
        if "TargetKeyId" in alias
    }
    for item in _pages(kms, "list_keys", "Keys"):
        key = item["KeyId"]
        facts = kms.describe_key(KeyId=key)["KeyMetadata"]
        if facts["KeyManager"] == "AWS":
            continue
        if facts["KeyState"] == "PendingDeletion":
            yield "key pending deletion", {"description": facts["Description"]}
            continue
        yield (
            f"key {aliases.get(key, 'without alias')}",
            {
                "facts": facts,
                "rotation": kms.get_key_rotation_status(KeyId=key),
                "policy": kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
                "tags": kms.list_resource_tags(KeyId=key)["Tags"],
            },
        )


def _networks(ec2: Any) -> Entries:
    rules = _pages(ec2, "describe_security_group_rules", "SecurityGroupRules")
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        own = [rule for rule in rules if rule["GroupId"] == group["GroupId"]]
        yield f"group {group['GroupName']}", {"group": group, "rules": own}


def _databases(rds: Any) -> Entries:
    for item in _pages(rds, "describe_db_instances", "DBInstances"):
        yield f"instance {item['DBInstanceIdentifier']}", item
    for item in _pages(rds, "describe_db_subnet_groups", "DBSubnetGroups"):
        arn = item["DBSubnetGroupArn"]
        tags = rds.list_tags_for_resource(ResourceName=arn)["TagList"]
        yield f"subnets {item['DBSubnetGroupName']}", {"group": item, "tags": tags}
    for item in _pages(rds, "describe_db_parameter_groups", "DBParameterGroups"):
        name = item["DBParameterGroupName"]
        tags = rds.list_tags_for_resource(ResourceName=item["DBParameterGroupArn"])["TagList"]
        changed = _pages(
            rds, "describe_db_parameters", "Parameters", DBParameterGroupName=name, Source="user"
        )
        yield f"parameters {name}", {"group": item, "tags": tags, "changed": changed}
    for item in _pages(rds, "describe_event_subscriptions", "EventSubscriptionsList"):
        yield f"events {item['CustSubscriptionId']}", item
    for item in rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]:
        yield f"backups {item['DBInstanceIdentifier']} {item['Region']}", item
    yield from _proxies(rds)


def _proxies(rds: Any) -> Entries:
    for item in _pages(rds, "describe_db_proxies", "DBProxies"):
        name = item["DBProxyName"]
        yield (
            f"proxy {name}",
            {
                "proxy": item,
                "tags": rds.list_tags_for_resource(ResourceName=item["DBProxyArn"])["TagList"],
                "groups": rds.describe_db_proxy_target_groups(DBProxyName=name)["TargetGroups"],
                "targets": rds.describe_db_proxy_targets(DBProxyName=name)["Targets"],
            },
        )


def _secrets(manager: Any) -> Entries:
    for item in _pages(manager, "list_secrets", "SecretList"):
        versions = manager.list_secret_version_ids(SecretId=item["ARN"], IncludeDeprecated=True)
        content = json.loads(
            manager.get_secret_value(SecretId=item["ARN"], VersionStage="AWSCURRENT")[
                "SecretString"
            ]
        )
        stages = sorted(
            "+".join(sorted(version.get("VersionStages", ["none"])))
            for version in versions["Versions"]
        )
        shown = {key: value for key, value in content.items() if key != "password"}
        listed = {key: value for key, value in item.items() if key != "SecretVersionsToStages"}
        yield f"secret {item['Name']}", {"facts": listed, "content": shown, "stages": stages}


def _topics(sns: Any) -> Entries:
    for item in _pages(sns, "list_topics", "Topics"):
        arn = item["TopicArn"]
        yield (
            f"topic {arn.rsplit(':', 1)[1]}",
            {
                "facts": sns.get_topic_attributes(TopicArn=arn)["Attributes"],
                "subscriptions": sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"],
                "tags": sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
            },
        )


def _alarms(cloudwatch: Any) -> Entries:
    for item in _pages(cloudwatch, "describe_alarms", "MetricAlarms"):
        tags = cloudwatch.list_tags_for_resource(ResourceARN=item["AlarmArn"])["Tags"]
        yield f"alarm {item['AlarmName']}", {"alarm": item, "tags": tags}


def _logs(logs: Any) -> Entries:
    for item in _pages(logs, "describe_log_groups", "logGroups"):
        tags = logs.list_tags_for_resource(resourceArn=item["arn"].removesuffix(":*"))["tags"]
        yield (
            f"log group {item['logGroupName']}",
            {"retention": item.get("retentionInDays"), "tags": tags},
        )


def _roles(iam: Any) -> Entries:
    for item in _pages(iam, "list_roles", "Roles"):
        name = item["RoleName"]
        inline = _pages(iam, "list_role_policies", "PolicyNames", RoleName=name)
        yield (
            f"role {name}",
            {
                "role": item,
                "attached": _pages(
                    iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name
                ),
                "inline": {
                    policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                    for policy in inline
                },
                "tags": iam.list_role_tags(RoleName=name)["Tags"],
            },
        )


def _key_names(kms: Any) -> Names:
    for alias in _pages(kms, "list_aliases", "Aliases"):
        if "TargetKeyId" in alias:
            yield alias["TargetKeyId"], f"key {alias['AliasName']}"


def _group_names(ec2: Any) -> Names:
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        yield group["GroupId"], f"group {group['GroupName']}"


def _database_names(rds: Any) -> Names:
    for item in rds.describe_db_instances()["DBInstances"]:
        yield item["DbiResourceId"], f"resource {item['DBInstanceIdentifier']}"
        if "Endpoint" in item:
            yield item["Endpoint"]["Address"], f"host {item['DBInstanceIdentifier']}"
    for item in rds.describe_db_proxies()["DBProxies"]:
        yield item["DBProxyArn"].rsplit(":", 1)[1], f"proxy {item['DBProxyName']}"
        yield item["Endpoint"], f"proxy host {item['DBProxyName']}"


def _secret_names(manager: Any) -> Names:
    for item in manager.list_secrets()["SecretList"]:
        yield item["ARN"].rsplit(":", 1)[1], f"secret {item['Name']}"


def _zone_names(route53: Any) -> Names:
    for item in route53.list_hosted_zones()["HostedZones"]:
        yield item["Id"].rsplit("/", 1)[1], f"zone {item['Name']}"


def _role_names(iam: Any) -> Names:
    for item in iam.list_roles()["Roles"]:
        yield item["RoleId"], f"role {item['RoleName']}"


NAMES: dict[str, Callable[[Any], Names]] = {
    "kms": _key_names,
    "ec2": _group_names,
    "rds": _database_names,
    "secretsmanager": _secret_names,
    "route53": _zone_names,
    "iam": _role_names,
}
BUCKET_FACTS = (
    "get_bucket_versioning",
    "get_bucket_encryption",
    "get_public_access_block",
    "get_bucket_policy",
    "get_bucket_lifecycle_configuration",
    "get_bucket_replication",
    "get_object_lock_configuration",
    "get_bucket_tagging",
    "get_bucket_location",
)


def _buckets(s3: Any) -> Entries:
    for item in s3.list_buckets()["Buckets"]:
        name = item["Name"]
        yield f"bucket {name}", {fact: _fact(s3, fact, name) for fact in BUCKET_FACTS}


def _fact(s3: Any, fact: str, name: str) -> Any:
    try:
        answer = getattr(s3, fact)(Bucket=name)
    except s3.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _zones(route53: Any) -> Entries:
    for item in route53.list_hosted_zones()["HostedZones"]:
        records = _pages(
            route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=item["Id"]
        )
        facts = route53.get_hosted_zone(Id=item["Id"])
        yield (
            f"zone {item['Name']}",
            {"zone": item, "networks": facts.get("VPCs", []), "records": records},
        )


REGIONAL: dict[str, Callable[[Any], Entries]] = {
    "kms": _keys,
    "ec2": _networks,
    "rds": _databases,
    "secretsmanager": _secrets,
    "sns": _topics,
    "cloudwatch": _alarms,
    "logs": _logs,
}
GLOBAL: dict[str, Callable[[Any], Entries]] = {
    "iam": _roles,
    "s3": _buckets,
    "route53": _zones,
}
