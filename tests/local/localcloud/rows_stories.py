"""Rows that take more than one call to check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.local.localcloud.errors import refusal
from tests.local.localcloud.table import Check, Confidence, Row

STORIES: list[Row] = []
TRUST = '{"Version": "2012-10-17", "Statement": []}'


def row(
    number: str, behaviour: str, source: str, confidence: Confidence
) -> Callable[[Check], Check]:
    """Register a check as a row."""

    def register(check: Check) -> Check:
        STORIES.append(Row(number, behaviour, source, confidence, check))
        return check

    return register


@row(
    "CW-02",
    "Alarms are found by the beginning of their names",
    "CloudWatch API, DescribeAlarms",
    "documented",
)
def _(cloud: Any, name: str) -> None:
    watch = cloud.client("cloudwatch")
    for end in ("a", "b"):
        watch.put_metric_alarm(
            AlarmName=f"{name}-{end}",
            Namespace=name,
            MetricName="m",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Period=60,
            Threshold=1.0,
            Statistic="Sum",
        )
    found = watch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    assert sorted(alarm["AlarmName"] for alarm in found) == [f"{name}-a", f"{name}-b"]


@row(
    "IAM-03",
    "A role's name is taken once: `EntityAlreadyExists`",
    "IAM API, CreateRole",
    "modelled",
)
def _(cloud: Any, name: str) -> None:
    given = {"RoleName": name, "AssumeRolePolicyDocument": TRUST}
    cloud.client("iam").create_role(**given)
    assert refusal(cloud.client("iam").create_role, **given)[0] == "EntityAlreadyExists"


@row(
    "IAM-04",
    "A role with policies is not deleted: `DeleteConflict`",
    "IAM API, DeleteRole",
    "modelled",
)
def _(cloud: Any, name: str) -> None:
    iam = cloud.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    statement = '{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}'
    policy = f'{{"Version": "2012-10-17", "Statement": [{statement}]}}'
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    assert refusal(iam.delete_role, RoleName=name)[0] == "DeleteConflict"


@row(
    "KMS-03", "An alias is taken once: `AlreadyExistsException`", "KMS API, CreateAlias", "modelled"
)
def _(cloud: Any, name: str) -> None:
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    code, _ = refusal(kms.create_alias, AliasName=f"alias/{name}", TargetKeyId=key)
    assert code == "AlreadyExistsException"
    assert kms.describe_key(KeyId=f"alias/{name}")["KeyMetadata"]["KeyId"] == key


@row(
    "KMS-04",
    "What was encrypted in one context is not decrypted in another: `InvalidCiphertextException`",
    "KMS Developer Guide, encryption context",
    "documented",
)
def _(cloud: Any, _name: str) -> None:
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})
    given = {"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": {"a": "2"}}
    assert refusal(kms.decrypt, **given)[0] == "InvalidCiphertextException"


@row("RDS-06", "Names of instances know no case", "RDS API, CreateDBInstance", "documented")
def _(cloud: Any, _name: str) -> None:
    assert cloud.describe("SHARED")["DBInstanceIdentifier"] == "shared"


@row("RDS-07", "An instance is found by its ARN", "RDS API, DescribeDBInstances", "documented")
def _(cloud: Any, _name: str) -> None:
    arn = cloud.describe("shared")["DBInstanceArn"]
    assert cloud.describe(arn)["DBInstanceIdentifier"] == "shared"


@row(
    "RDS-08",
    "Storage never shrinks: `InvalidParameterCombination`",
    "RDS User Guide, storage",
    "recalled",
)
def _(cloud: Any, _name: str) -> None:
    rds = cloud.client("rds")
    given = {"DBInstanceIdentifier": "shared", "AllocatedStorage": 19, "ApplyImmediately": True}
    assert refusal(rds.modify_db_instance, **given)[0] == "InvalidParameterCombination"


@row("RDS-09", "No answer bears the master's password", "RDS API, DBInstance", "modelled")
def _(cloud: Any, _name: str) -> None:
    found = cloud.describe("shared")
    assert "MasterUserPassword" not in found
    assert "MasterUserPassword" not in found["PendingModifiedValues"]


@row(
    "S3-02",
    "A bucket with objects is not deleted: `BucketNotEmpty`",
    "S3 API, DeleteBucket",
    "documented",
)
def _(cloud: Any, name: str) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert refusal(s3.delete_bucket, Bucket=name)[0] == "BucketNotEmpty"


@row(
    "S3-03",
    "Deleting from a versioned bucket leaves a marker, and the version under it",
    "S3 User Guide, deleting object versions",
    "documented",
)
def _(cloud: Any, name: str) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="k", Body=b"x")["VersionId"]
    assert s3.delete_object(Bucket=name, Key="k")["DeleteMarker"]
    assert refusal(s3.get_object, Bucket=name, Key="k")[0] == "NoSuchKey"
    assert s3.get_object(Bucket=name, Key="k", VersionId=version)["Body"].read() == b"x"


@row(
    "S3-04",
    "A version under retention in compliance mode is not deleted: `AccessDenied`",
    "S3 User Guide, Object Lock",
    "documented",
)
def _(cloud: Any, name: str) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    retention = {"Mode": "COMPLIANCE", "Days": 1}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    version = s3.put_object(Bucket=name, Key="k", Body=b"x")["VersionId"]
    assert refusal(s3.delete_object, Bucket=name, Key="k", VersionId=version)[0] == "AccessDenied"


@row(
    "SM-02",
    "A secret's name is taken once: `ResourceExistsException`",
    "Secrets Manager API, CreateSecret",
    "modelled",
)
def _(cloud: Any, name: str) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="x")
    code, _ = refusal(secrets.create_secret, Name=name, SecretString="y")
    assert code == "ResourceExistsException"


@row(
    "SM-03",
    "The version that was current before bears `AWSPREVIOUS`",
    "Secrets Manager API, PutSecretValue",
    "documented",
)
def _(cloud: Any, name: str) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="old")
    secrets.put_secret_value(SecretId=name, SecretString="new")
    before = secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")
    assert before["SecretString"] == "old"


@row(
    "SM-04",
    "A recovery window is 7 to 30 days: `InvalidParameterException`",
    "Secrets Manager API, DeleteSecret",
    "documented",
)
def _(cloud: Any, name: str) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="x")
    for days in (6, 31):
        code, _ = refusal(secrets.delete_secret, SecretId=name, RecoveryWindowInDays=days)
        assert code == "InvalidParameterException"


@row("SNS-03", "A topic is made once, however often", "SNS API, CreateTopic", "documented")
def _(cloud: Any, name: str) -> None:
    sns = cloud.client("sns")
    first = sns.create_topic(Name=name)["TopicArn"]
    assert sns.create_topic(Name=name)["TopicArn"] == first


@row("SNS-04", "A subscription is made once, however often", "SNS API, Subscribe", "documented")
def _(cloud: Any, name: str) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": f"{name}@example.org"}
    arns = {sns.subscribe(**given, ReturnSubscriptionArn=True)["SubscriptionArn"] for _ in "ab"}
    assert len(arns) == 1
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1
