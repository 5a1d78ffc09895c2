"""Every correction is still needed: plain moto is asked, and has to answer wrongly."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
from moto import mock_aws
from moto.core import errors

import localcloud.corrections

Ask = Callable[[Callable[..., Any]], bool]
CANARIES: list[tuple[str, str, Ask]] = []
TRUST = '{"Version": "2012-10-17", "Statement": []}'
SERVED = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
SUSPENDED = {"VersioningConfiguration": {"Status": "Suspended"}}
ON = {"Status": "Enabled"}
ENABLED = {"VersioningConfiguration": {"Status": "Enabled"}}


def wrong(correction: str, rule: str) -> Callable[[Ask], Ask]:
    """Register a question whose answer is true while moto is wrong about a rule of AWS."""

    def register(ask: Ask) -> Ask:
        CANARIES.append((correction, rule, ask))
        return ask

    return register


def _refused(call: Callable[..., Any], **given: Any) -> str | None:
    try:
        call(**given)
    except botocore.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def _alarm(**changes: Any) -> dict[str, Any]:
    given = {
        "AlarmName": "a",
        "Namespace": "N",
        "MetricName": "M",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Period": 60,
        "Threshold": 1.0,
        "Statistic": "Sum",
    }
    return {**given, **changes}


@wrong("cloudwatch", "a new alarm has INSUFFICIENT_DATA")
def _(client: Any) -> bool:
    watch = client("cloudwatch")
    watch.put_metric_alarm(**_alarm())
    return bool(watch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "OK")


@wrong("cloudwatch", "a period is 10, 20, 30 or a multiple of 60")
def _(client: Any) -> bool:
    return _refused(client("cloudwatch").put_metric_alarm, **_alarm(Period=45)) is None


@wrong("cloudwatch", "a change of state is told to the topic")
def _(client: Any) -> bool:
    queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    endpoint = "arn:aws:sqs:us-east-1:123456789012:q"
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    client("cloudwatch").put_metric_alarm(**_alarm(AlarmActions=[topic]))
    client("cloudwatch").set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="x")
    return "Messages" not in client("sqs").receive_message(QueueUrl=queue)


@wrong("ec2", "a security group in use cannot be deleted")
def _(client: Any) -> bool:
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = client("ec2").create_security_group(GroupName="g", Description="x", VpcId=vpc)
    client("rds").create_db_instance(
        DBInstanceIdentifier="i",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        VpcSecurityGroupIds=[made["GroupId"]],
    )
    return _refused(client("ec2").delete_security_group, GroupId=made["GroupId"]) is None


@wrong("error_tables", "error shapes of a service are read once")
def _(_: Any) -> bool:
    return errors.ErrorLookupFactory() is not errors.ErrorLookupFactory()


@wrong("iam", "managed policies exist")
def _(client: Any) -> bool:
    client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    code = _refused(client("iam").attach_role_policy, RoleName="r", PolicyArn=SERVED)
    return code == "NoSuchEntity"


@wrong("iam", "a trust policy is JSON")
def _(client: Any) -> bool:
    return _refused(client("iam").create_role, RoleName="r", AssumeRolePolicyDocument="{") is None


@wrong("kms", "a disabled key is of no use")
def _(client: Any) -> bool:
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("kms").disable_key(KeyId=key)
    return _refused(client("kms").encrypt, KeyId=key, Plaintext=b"x") is None


@wrong("kms", "a key is switched off by its ARN too")
def _(client: Any) -> bool:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    try:
        client("kms").disable_key(KeyId=key)
    except KeyError:
        return True
    return False


@wrong("kms", "a period of rotation is kept")
def _(client: Any) -> bool:
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("kms").enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    return bool(client("kms").get_key_rotation_status(KeyId=key).get("RotationPeriodInDays") != 180)


@wrong("kms", "a malformed key policy is refused")
def _(client: Any) -> bool:
    return _refused(client("kms").create_key, Policy="{") is None


@wrong("kms", "a key is replicated into a region once")
def _(client: Any) -> bool:
    key = client("kms").create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    client("kms").replicate_key(KeyId=key, ReplicaRegion="us-west-2")
    return _refused(client("kms").replicate_key, KeyId=key, ReplicaRegion="us-west-2") is None


@wrong("logs", "only certain numbers of days are kept")
def _(client: Any) -> bool:
    client("logs").create_log_group(logGroupName="g")
    put = client("logs").put_retention_policy
    return _refused(put, logGroupName="g", retentionInDays=33) is None


@wrong("route53", "a zone made with a VPC is private")
def _(client: Any) -> bool:
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = client("route53").create_hosted_zone(
        Name="x.internal", CallerReference="1", VPC={"VPCRegion": "us-east-1", "VPCId": vpc}
    )
    return not made["HostedZone"]["Config"]["PrivateZone"]


@wrong("s3", "versioning stays where Object Lock needs it")
def _(client: Any) -> bool:
    client("s3").create_bucket(Bucket="bucket", ObjectLockEnabledForBucket=True)
    return _refused(client("s3").put_bucket_versioning, Bucket="bucket", **SUSPENDED) is None


@wrong("s3", "a malformed bucket policy is refused")
def _(client: Any) -> bool:
    client("s3").create_bucket(Bucket="bucket")
    return _refused(client("s3").put_bucket_policy, Bucket="bucket", Policy="[]") is None


@wrong("s3", "replication needs a destination that is there")
def _(client: Any) -> bool:
    client("s3").create_bucket(Bucket="bucket")
    client("s3").put_bucket_versioning(Bucket="bucket", **ENABLED)
    return _refused(_replicate, client=client, rule={"Prefix": ""}) is None


def _replicate(client: Any, rule: dict[str, Any]) -> None:
    plain = {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::other"}}
    role = "arn:aws:iam::123456789012:role/x"
    client("s3").put_bucket_replication(
        Bucket="bucket", ReplicationConfiguration={"Role": role, "Rules": [{**plain, **rule}]}
    )


@wrong("s3", "a restore from an archive takes its time")
def restored_at_once(client: Callable[..., Any]) -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"x", StorageClass="GLACIER")
    s3.restore_object(Bucket="bucket", Key="k", RestoreRequest={"Days": 1})
    s3.head_object(Bucket="bucket", Key="k")
    return 'ongoing-request="false"' in s3.head_object(Bucket="bucket", Key="k")["Restore"]


@wrong("s3", "what is written is replicated")
def nothing_replicated(client: Callable[..., Any]) -> bool:
    s3 = client("s3")
    for name in ("bucket", "other"):
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, **ENABLED)
    rule = {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::other"}}
    s3.put_bucket_replication(
        Bucket="bucket", ReplicationConfiguration={"Role": "r", "Rules": [rule]}
    )
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    return "ReplicationStatus" not in s3.head_object(Bucket="bucket", Key="k")


@wrong("s3_creation", "a bucket is made with its tags")
def _(client: Any) -> bool:
    tags = {"Tags": [{"Key": "a", "Value": "1"}]}
    client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration=tags)
    return _refused(client("s3").get_bucket_tagging, Bucket="bucket") == "NoSuchTagSet"


@wrong("s3_policy", "a statement applies where its condition holds")
def _(client: Any) -> bool:
    client("s3").create_bucket(Bucket="bucket")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::bucket/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    client("s3").put_bucket_policy(Bucket="bucket", Policy=policy)
    return _refused(client("s3").put_object, Bucket="bucket", Key="k", Body=b"x") is not None


@wrong("s3_replication", "rules of replication are told as they were put")
def _(client: Any) -> bool:
    for name in ("bucket", "other"):
        client("s3").create_bucket(Bucket=name)
        client("s3").put_bucket_versioning(Bucket=name, **ENABLED)
    _replicate(client, {"Priority": 1, "Filter": {"Prefix": ""}, "DeleteMarkerReplication": ON})
    told = client("s3").get_bucket_replication(Bucket="bucket")["ReplicationConfiguration"]
    return bool(told["Rules"][0]["DeleteMarkerReplication"] != ON)


@wrong("s3_suspended", "suspended versioning keeps older versions")
def _(client: Any) -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", **ENABLED)
    s3.put_object(Bucket="bucket", Key="k", Body=b"old")
    s3.put_bucket_versioning(Bucket="bucket", **SUSPENDED)
    s3.put_object(Bucket="bucket", Key="k", Body=b"new")
    return len(s3.list_object_versions(Bucket="bucket").get("Versions", [])) != 2


@wrong("secretsmanager", "a version is immutable, a pending one too")
def _(client: Any) -> bool:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="first")
    given = {"SecretId": "s", "ClientRequestToken": "c" * 32, "VersionStages": ["AWSPENDING"]}
    secrets.put_secret_value(**given, SecretString="one")
    return _refused(secrets.put_secret_value, **given, SecretString="two") is None


@wrong("secretsmanager", "a secret on its way out takes no version")
def _(client: Any) -> bool:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="first")
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    return _refused(secrets.put_secret_value, SecretId="s", SecretString="two") is None


@wrong("secretsmanager", "the name of a secret on its way out is InvalidRequestException")
def _(client: Any) -> bool:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="first")
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    code = _refused(secrets.create_secret, Name="s", SecretString="two")
    return code != "InvalidRequestException"


@wrong("secretsmanager", "what is read by default bears AWSCURRENT")
def _(client: Any) -> bool:
    secrets = client("secretsmanager")
    old = secrets.create_secret(Name="s", SecretString="old")["VersionId"]
    new = secrets.put_secret_value(SecretId="s", SecretString="new", VersionStages=["AWSPENDING"])
    secrets.update_secret_version_stage(
        SecretId="s",
        VersionStage="AWSCURRENT",
        MoveToVersionId=new["VersionId"],
        RemoveFromVersionId=old,
    )
    return bool(secrets.get_secret_value(SecretId="s")["SecretString"] != "new")


UNPAGED: list[tuple[str, str, dict[str, Any]]] = [
    ("cloudwatch", "describe_alarms", {"MaxRecords": 1}),
    ("ec2", "describe_security_groups", {"MaxResults": 5}),
    ("iam", "get_account_authorization_details", {"MaxItems": 1, "Filter": ["Role"]}),
    ("iam", "list_role_policies", {"MaxItems": 1, "RoleName": "r-000"}),
    ("kms", "list_aliases", {"Limit": 1}),
    ("s3", "list_buckets", {"MaxBuckets": 1}),
]
TOKENS = ("NextToken", "Marker", "NextMarker", "ContinuationToken")


@wrong("paging", "a page is no larger than asked for, and a token leads on")
def _(client: Any) -> bool:
    allow = {"Effect": "Allow", "Action": "rds:Describe*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    for number in range(6):
        name = f"r-00{number}"
        client("cloudwatch").put_metric_alarm(**_alarm(AlarmName=name))
        client("ec2").create_security_group(GroupName=name, Description="d")
        client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        given = {"PolicyName": name, "PolicyDocument": policy}
        client("iam").put_role_policy(RoleName="r-000", **given)
        client("s3").create_bucket(Bucket=name)
    return all(_no_token(client, *row) for row in UNPAGED)


def _no_token(client: Any, service: str, operation: str, asked: dict[str, Any]) -> bool:
    answer = getattr(client(service), operation)(**asked)
    return not any(answer.get(token) for token in TOKENS)


@wrong("secretsmanager_replicas", "a replica has the key that was asked for")
def _keys_of_replicas(client: Any) -> bool:
    answer = client("secretsmanager").create_secret(
        Name="copied",
        SecretString="kept",
        AddReplicaRegions=[{"Region": "us-west-2", "KmsKeyId": "alias/wanted"}],
    )
    return bool(answer["ReplicationStatus"][0]["KmsKeyId"] != "alias/wanted")


@wrong("secretsmanager", "rotation needs a function")
def _(client: Any) -> bool:
    client("secretsmanager").create_secret(Name="s", SecretString="kept")
    return _refused(client("secretsmanager").rotate_secret, SecretId="s") is None


@wrong("sns", "an e-mail subscription waits")
def _(client: Any) -> bool:
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    made = client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.org")
    return bool(made["SubscriptionArn"] != "pending confirmation")


@wrong("sns_mail", "a confirmation needs its token")
def _(client: Any) -> bool:
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    return _refused(client("sns").confirm_subscription, TopicArn=topic, Token="0") is None  # noqa: S106  # no password


@pytest.fixture
def client() -> Any:
    """Makes clients of plain moto, which the local cloud has not been attached to."""
    session = botocore.session.Session()

    def made(service: str) -> Any:
        return session.create_client(
            service,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  # not checked by anybody
        )

    with mock_aws():
        yield made


@pytest.mark.parametrize(
    ("correction", "rule", "ask"), CANARIES, ids=[f"{name}: {rule}" for name, rule, _ in CANARIES]
)
def test_moto_is_still_wrong(client: Any, correction: str, rule: str, ask: Ask) -> None:
    importlib.import_module(f"localcloud.corrections.{correction}")
    assert ask(client), f"moto no longer needs the correction {correction}: {rule}"


def test_every_correction_has_a_canary() -> None:
    folder = Path(localcloud.corrections.__file__).parent
    # What only names URLs corrects nothing.
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "urls"}
    assert modules == {correction for correction, _, _ in CANARIES}
