"""boto3's waiters end, on what a stack makes and removes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from tests.local.localcloud.conftest import instance
from tests.local.localcloud.crowd import READ, TRUST

pytestmark = pytest.mark.local

Make = Callable[[Any, str], dict[str, Any]]
QUICK = {"Delay": 1, "MaxAttempts": 60}


def _instance(rds: Any, name: str) -> dict[str, Any]:
    rds.create_db_instance(**instance(name))
    return {"DBInstanceIdentifier": name}


def _deleted_instance(rds: Any, name: str) -> dict[str, Any]:
    named = _instance(rds, name)
    rds.get_waiter("db_instance_available").wait(**named, WaiterConfig=QUICK)
    rds.delete_db_instance(**named, SkipFinalSnapshot=True)
    return named


def _role(iam: Any, name: str) -> dict[str, Any]:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    return {"RoleName": name}


def _policy(iam: Any, name: str) -> dict[str, Any]:
    made = iam.create_policy(PolicyName=name, PolicyDocument=READ)
    return {"PolicyArn": made["Policy"]["Arn"]}


def _bucket(s3: Any, name: str) -> dict[str, Any]:
    s3.create_bucket(Bucket=name)
    return {"Bucket": name}


def _deleted_bucket(s3: Any, name: str) -> dict[str, Any]:
    s3.delete_bucket(**_bucket(s3, name))
    return {"Bucket": name}


def _object(s3: Any, name: str) -> dict[str, Any]:
    s3.put_object(**_bucket(s3, name), Key="a", Body=b"x")
    return {"Bucket": name, "Key": "a"}


def _deleted_object(s3: Any, name: str) -> dict[str, Any]:
    named = _object(s3, name)
    s3.delete_object(**named)
    return named


def _alarm(cloudwatch: Any, name: str) -> dict[str, Any]:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/RDS",
        MetricName="CPUUtilization",
        Statistic="Average",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=80,
        Period=300,
        EvaluationPeriods=2,
    )
    return {"AlarmNames": [name]}


def _change(route53: Any, name: str) -> dict[str, Any]:
    made = route53.create_hosted_zone(Name=f"{name}.example", CallerReference=name)
    return {"Id": made["ChangeInfo"]["Id"]}


def _group(ec2: Any, name: str) -> dict[str, Any]:
    return {"GroupIds": [ec2.create_security_group(GroupName=name, Description=name)["GroupId"]]}


def _network(ec2: Any, _name: str) -> dict[str, Any]:
    return {"VpcIds": [ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]]}


def _subnet(ec2: Any, name: str) -> dict[str, Any]:
    (vpc,) = _network(ec2, name)["VpcIds"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")
    return {"SubnetIds": [made["Subnet"]["SubnetId"]]}


ROWS: list[tuple[str, str, Make]] = [
    ("rds", "db_instance_available", _instance),
    ("rds", "db_instance_deleted", _deleted_instance),
    ("iam", "role_exists", _role),
    ("iam", "policy_exists", _policy),
    ("s3", "bucket_exists", _bucket),
    ("s3", "bucket_not_exists", _deleted_bucket),
    ("s3", "object_exists", _object),
    ("s3", "object_not_exists", _deleted_object),
    ("cloudwatch", "alarm_exists", _alarm),
    ("route53", "resource_record_sets_changed", _change),
    ("ec2", "security_group_exists", _group),
    ("ec2", "vpc_exists", _network),
    ("ec2", "vpc_available", _network),
    ("ec2", "subnet_available", _subnet),
]


@pytest.mark.parametrize(
    ("service", "waiter", "make"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS]
)
def test_what_is_waited_for_comes(
    cloud: Any, name: str, service: str, waiter: str, make: Make
) -> None:
    client = cloud.client(service)
    client.get_waiter(waiter).wait(**make(client, name), WaiterConfig=QUICK)


def test_what_never_comes_is_not_waited_for(cloud: Any, name: str) -> None:
    rds = cloud.client("rds")
    with pytest.raises(botocore.exceptions.WaiterError, match="DBInstanceNotFound"):
        rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name)
