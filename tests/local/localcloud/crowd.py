"""Many of everything that is listed in pages, so that a paginator has pages to walk.

RDS answers at least 20 a page, SNS always 100; the others one, if asked to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

COUNT = 22
TOPICS = 101
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "rds:Describe*", "Resource": "*"}],
    }
)


def names(prefix: str, count: int = COUNT) -> list[str]:
    """Return the names of a crowd."""
    return [f"{prefix}-{number:03}" for number in range(count)]


def make_crowd(client: Callable[[str], Any], prefix: str) -> dict[str, str]:
    """Make all of it; return what a lister has to be asked for, by name."""
    for make in (_keys, _roles, _secrets, _alarms, _logs, _groups):
        make(client, prefix)
    return {
        "bucket": _objects(client("s3"), prefix),
        "topic": _topics(client, prefix),
        "zone": _records(client("route53"), prefix),
        "role": prefix + "-000",
        "log": prefix + "-000",
        "parameters": prefix + "-000",
        "upload": _upload(client("s3"), prefix),
    }


def _keys(client: Callable[[str], Any], prefix: str) -> None:
    kms = client("kms")
    for name in names(prefix, 3):
        key = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)


def _roles(client: Callable[[str], Any], prefix: str) -> None:
    iam = client("iam")
    first, *_ = names(prefix)
    for name in names(prefix, 3):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        made = iam.create_policy(PolicyName=name, PolicyDocument=READ)
        iam.attach_role_policy(RoleName=first, PolicyArn=made["Policy"]["Arn"])
        iam.put_role_policy(RoleName=first, PolicyName=name, PolicyDocument=READ)
        iam.tag_role(RoleName=first, Tags=[{"Key": name, "Value": "x"}])


def _secrets(client: Callable[[str], Any], prefix: str) -> None:
    for name in names(prefix, 3):
        client("secretsmanager").create_secret(Name=name, SecretString="{}")


def _alarms(client: Callable[[str], Any], prefix: str) -> None:
    for name in names(prefix, 3):
        client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/RDS",
            MetricName="CPUUtilization",
            Statistic="Average",
            ComparisonOperator="GreaterThanThreshold",
            Threshold=80,
            Period=300,
            EvaluationPeriods=2,
            Tags=[{"Key": "crowd", "Value": prefix}],
        )


def _logs(client: Callable[[str], Any], prefix: str) -> None:
    logs = client("logs")
    first, *_ = names(prefix)
    for name in names(prefix, 3):
        logs.create_log_group(logGroupName=name)
        logs.create_log_stream(logGroupName=first, logStreamName=name)
        logs.put_log_events(
            logGroupName=first,
            logStreamName=name,
            logEvents=[{"timestamp": int(time.time() * 1000), "message": name}],
        )


def _groups(client: Callable[[str], Any], prefix: str) -> None:
    ec2, rds = client("ec2"), client("rds")
    subnets = [item["SubnetId"] for item in ec2.describe_subnets()["Subnets"]]
    topic = client("sns").create_topic(Name=f"{prefix}-events")["TopicArn"]
    for name in names(prefix):
        ec2.create_security_group(GroupName=name, Description=name)
        rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily="postgres15", Description=name
        )
        rds.create_db_subnet_group(
            DBSubnetGroupName=name, DBSubnetGroupDescription=name, SubnetIds=subnets
        )
        rds.create_event_subscription(
            SubscriptionName=name, SnsTopicArn=topic, SourceType="db-instance"
        )


def _objects(s3: Any, prefix: str) -> str:
    bucket = f"{prefix}-000"
    for name in names(prefix, 3):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for name in names(prefix, 3):
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    return bucket


def _upload(s3: Any, prefix: str) -> str:
    bucket, key = f"{prefix}-000", "upload"
    upload = ""
    for name in names(prefix, 3):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=f"{key}/{name}")["UploadId"]
    for number in (1, 2, 3):
        s3.upload_part(
            Bucket=bucket,
            Key=f"{key}/{prefix}-002",
            UploadId=upload,
            PartNumber=number,
            Body=b"x" * 16,
        )
    return str(upload)


def _topics(client: Callable[[str], Any], prefix: str) -> str:
    sns = client("sns")
    arn = ""
    for name in names(prefix, TOPICS):
        arn = sns.create_topic(Name=name)["TopicArn"]
    for name in names(prefix, TOPICS):
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=f"{name}@example.org")
    return str(arn)


def _records(route53: Any, prefix: str) -> str:
    zone = ""
    for name in names(prefix, 3):
        made = route53.create_hosted_zone(Name=f"{name}.example", CallerReference=name)
        zone = str(made["HostedZone"]["Id"])
    for name in names(prefix, 3):
        record = {
            "Name": f"{name}.{prefix}-002.example",
            "Type": "CNAME",
            "TTL": 60,
            "ResourceRecords": [{"Value": name}],
        }
        changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return zone
