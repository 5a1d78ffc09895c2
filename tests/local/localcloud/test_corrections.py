"""Conformance: where moto's other services are put right, one test per corrected behaviour."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.exceptions
import pytest

from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local


def test_the_default_version_is_the_current_one(cloud: Any, name: str) -> None:
    # Secrets Manager API GetSecretValue: without a version, AWSCURRENT is returned.
    secrets = cloud.client("secretsmanager")
    old = secrets.create_secret(Name=name, SecretString="old")["VersionId"]
    token = "b" * 32
    secrets.put_secret_value(
        SecretId=name, SecretString="new", ClientRequestToken=token, VersionStages=["AWSPENDING"]
    )
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "old"
    secrets.update_secret_version_stage(
        SecretId=name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=token,
        RemoveFromVersionId=old,
    )
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "new"
    batch = secrets.batch_get_secret_value(SecretIdList=[name, "none"])
    assert [item["SecretString"] for item in batch["SecretValues"]] == ["new"]
    assert [item["ErrorCode"] for item in batch["Errors"]] == ["ResourceNotFoundException"]
    previous = secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "old"


def test_a_version_is_immutable(cloud: Any, name: str) -> None:
    # Secrets Manager API PutSecretValue: same token, other value: ResourceExistsException.
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="first")
    given = {"SecretId": name, "ClientRequestToken": "c" * 32, "VersionStages": ["AWSPENDING"]}
    secrets.put_secret_value(**given, SecretString="one")
    assert secrets.put_secret_value(**given, SecretString="one")["VersionId"] == "c" * 32
    assert refusal(secrets.put_secret_value, **given, SecretString="two")[0] == (
        "ResourceExistsException"
    )


def test_a_replica_of_a_secret_stands_alone_with_all_it_shows(cloud: Any, name: str) -> None:
    here, there = cloud.client("secretsmanager"), cloud.client("secretsmanager", "us-west-2")
    copies = [{"Region": "us-west-2", "KmsKeyId": "alias/wanted"}]
    here.create_secret(Name=name, SecretString="kept", AddReplicaRegions=copies)
    there.stop_replication_to_replica(SecretId=name)
    assert there.describe_secret(SecretId=name)["KmsKeyId"] == "alias/wanted"
    there.put_secret_value(SecretId=name, SecretString="its own")
    here.put_secret_value(SecretId=name, SecretString="changed")
    assert there.get_secret_value(SecretId=name)["SecretString"] == "its own"
    assert here.describe_secret(SecretId=name).get("ReplicationStatus", []) == []
    code, _ = refusal(there.stop_replication_to_replica, SecretId=name)
    assert code == "InvalidRequestException"


def test_a_version_keeps_the_date_it_was_made(cloud: Any, name: str) -> None:
    # Secrets Manager API ListSecretVersionIds: CreatedDate of each version, with milliseconds.
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="first")
    secrets.put_secret_value(SecretId=name, SecretString="second", ClientRequestToken="c" * 32)
    read = [
        secrets.get_secret_value(SecretId=name, VersionStage=stage)["CreatedDate"]
        for stage in ("AWSPREVIOUS", "AWSCURRENT")
    ]
    listed = secrets.list_secret_version_ids(SecretId=name)["Versions"]
    assert sorted(item["CreatedDate"] for item in listed) == read
    assert read[0] < read[1]


def test_rotation_needs_a_function(cloud: Any, name: str) -> None:
    # Secrets Manager API RotateSecret: InvalidRequestException without a rotation function.
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="kept")
    assert refusal(secrets.rotate_secret, SecretId=name)[0] == "InvalidRequestException"
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "kept"


def test_a_secret_scheduled_for_deletion(cloud: Any, name: str) -> None:
    # Secrets Manager API DeleteSecret: the name stays taken, nothing is read or written.
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="kept")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    for call, given in (
        (secrets.create_secret, {"Name": name, "SecretString": "x"}),
        (secrets.put_secret_value, {"SecretId": name, "SecretString": "x"}),
        (secrets.get_secret_value, {"SecretId": name}),
    ):
        assert refusal(call, **given)[0] == "InvalidRequestException"
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "kept"


def test_rotation_of_a_key_has_a_period(cloud: Any) -> None:
    # KMS API EnableKeyRotation, GetKeyRotationStatus: RotationPeriodInDays.
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    found = kms.get_key_rotation_status(KeyId=key)
    assert (found["KeyRotationEnabled"], found["RotationPeriodInDays"]) == (True, 180)


def test_a_key_is_known_by_its_arn(cloud: Any) -> None:
    # KMS API DisableKey, EnableKey, ScheduleKeyDeletion, CancelKeyDeletion: KeyId is an id or ARN.
    kms = cloud.client("kms")
    key = {"KeyId": kms.create_key()["KeyMetadata"]["Arn"]}

    def state() -> str:
        return str(kms.describe_key(**key)["KeyMetadata"]["KeyState"])

    kms.disable_key(**key)
    assert state() == "Disabled"
    kms.enable_key(**key)
    assert state() == "Enabled"
    kms.schedule_key_deletion(**key, PendingWindowInDays=7)
    assert state() == "PendingDeletion"
    kms.cancel_key_deletion(**key)
    assert state() == "Disabled"


def test_a_key_that_is_not_enabled_is_of_no_use(cloud: Any, name: str) -> None:
    # KMS developer guide, "Key states": DisabledException, KMSInvalidStateException.
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x")[0] == "DisabledException"
    assert refusal(kms.decrypt, CiphertextBlob=blob)[0] == "DisabledException"
    assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256")[0] == "DisabledException"
    gone = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert gone["KeyState"] == "PendingDeletion"
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x")[0] == "KMSInvalidStateException"
    code, _ = refusal(
        cloud.client("rds").create_db_instance,
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="haven_admin",
        MasterUserPassword="Correct-Horse-1",
        StorageEncrypted=True,
        KmsKeyId=key,
    )
    assert code == "KMSKeyNotAccessibleFault"


def test_keys_are_replicated_once(cloud: Any) -> None:
    # KMS API ReplicateKey: multi-region keys only, AlreadyExistsException the second time.
    kms = cloud.client("kms")
    single = kms.create_key()["KeyMetadata"]["KeyId"]
    code, _ = refusal(kms.replicate_key, KeyId=single, ReplicaRegion="us-west-2")
    assert code == "UnsupportedOperationException"
    many = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=many, ReplicaRegion="us-west-2")
    code, _ = refusal(kms.replicate_key, KeyId=many, ReplicaRegion="us-west-2")
    assert code == "AlreadyExistsException"


def test_managed_policies_can_be_attached(cloud: Any, name: str) -> None:
    # IAM: AWS managed policies exist in every account.
    iam = cloud.client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [item["PolicyArn"] for item in attached] == [arn]
    details = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert name in [role["RoleName"] for role in details]


def test_an_email_subscription_waits(cloud: Any, name: str) -> None:
    # SNS API Subscribe: e-mail subscriptions are pending until they are confirmed.
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "ops@example.org"}
    assert sns.subscribe(**given)["SubscriptionArn"] == "pending confirmation"
    assert sns.subscribe(**given, ReturnSubscriptionArn=True)["SubscriptionArn"].startswith(topic)

    def listed() -> list[str]:
        rows = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return [row["SubscriptionArn"] for row in rows]

    assert listed() == ["PendingConfirmation"]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsPending"] == "1"
    cloud.control("POST", "confirmations", {"topic": topic, "endpoint": "ops@example.org"})
    assert listed()[0].startswith(topic)
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"]) == ("0", "1")


def test_alarms_start_without_data_and_keep_their_state(cloud: Any, name: str) -> None:
    # CloudWatch API PutMetricAlarm: INSUFFICIENT_DATA at first, unchanged by an update;
    # tags of an alarm that is there are not touched.
    watch = cloud.client("cloudwatch")
    given = {
        "AlarmName": name,
        "Namespace": "AWS/RDS",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "x"}],
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 3,
        "Period": 300,
        "Threshold": 80.0,
        "Statistic": "Average",
    }
    watch.put_metric_alarm(**given, Tags=[{"Key": "a", "Value": "1"}])

    def alarm() -> dict[str, Any]:
        found: dict[str, Any] = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        return found

    assert alarm()["StateValue"] == "INSUFFICIENT_DATA"
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    watch.put_metric_alarm(**{**given, "Threshold": 90.0}, Tags=[{"Key": "a", "Value": "2"}])
    assert (alarm()["StateValue"], alarm()["Threshold"]) == ("ALARM", 90.0)
    tags = watch.list_tags_for_resource(ResourceARN=alarm()["AlarmArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "1"}]
    code, _ = refusal(watch.put_metric_alarm, **{**given, "Period": 45})
    assert code == "InvalidParameterValue"


def test_logs_are_kept_for_certain_days_only(cloud: Any, name: str) -> None:
    # CloudWatch Logs API PutRetentionPolicy: the possible values.
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    code, _ = refusal(logs.put_retention_policy, logGroupName=name, retentionInDays=33)
    assert code == "InvalidParameterException"


def test_versioning_stays_where_it_is_needed(cloud: Any, name: str) -> None:
    # S3 User Guide, "Using Object Lock" and "Requirements for replication".
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=f"{name}-lock", ObjectLockEnabledForBucket=True)
    suspend = {"VersioningConfiguration": {"Status": "Suspended"}}
    code, _ = refusal(s3.put_bucket_versioning, Bucket=f"{name}-lock", **suspend)
    assert code == "InvalidBucketState"
    s3.create_bucket(Bucket=f"{name}-a")
    rule = {
        "Role": "arn:aws:iam::123456789012:role/x",
        "Rules": [
            {"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::{name}-b"}}
        ],
    }
    enable = {"VersioningConfiguration": {"Status": "Enabled"}}
    s3.put_bucket_versioning(Bucket=f"{name}-a", **enable)
    put = s3.put_bucket_replication
    assert refusal(put, Bucket=f"{name}-a", ReplicationConfiguration=rule)[0] == "InvalidRequest"
    s3.create_bucket(Bucket=f"{name}-b")
    assert refusal(put, Bucket=f"{name}-a", ReplicationConfiguration=rule)[0] == "InvalidRequest"
    s3.put_bucket_versioning(Bucket=f"{name}-b", **enable)
    put(Bucket=f"{name}-a", ReplicationConfiguration=rule)
    code, _ = refusal(s3.put_bucket_versioning, Bucket=f"{name}-a", **suspend)
    assert code == "InvalidBucketState"


def test_a_reference_makes_one_zone(cloud: Any, name: str) -> None:
    # Route 53 API CreateHostedZone: HostedZoneAlreadyExists, HTTP 409.
    route53 = cloud.client("route53")
    given = {"Name": f"{name}.internal", "CallerReference": name}
    first = route53.create_hosted_zone(**given)["HostedZone"]["Id"]
    assert refusal(route53.create_hosted_zone, **given)[0] == "HostedZoneAlreadyExists"
    again = {"Name": f"{name}.internal", "CallerReference": f"{name}-2"}
    assert route53.create_hosted_zone(**again)["HostedZone"]["Id"] != first


def test_a_bucket_is_made_with_its_tags(cloud: Any, name: str) -> None:
    # S3 API CreateBucket, CreateBucketConfiguration: Tags.
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    given = {"Tags": tags, "LocationConstraint": "us-west-2"}
    s3 = cloud.client("s3", "us-west-2")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=given)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    # In us-east-1 a second creation succeeds and changes nothing.
    here, config = cloud.client("s3"), {"Tags": tags[:1]}
    here.create_bucket(Bucket=f"{name}-a", CreateBucketConfiguration=config)
    here.create_bucket(Bucket=f"{name}-a", CreateBucketConfiguration={"Tags": tags[1:]})
    assert here.get_bucket_tagging(Bucket=f"{name}-a")["TagSet"] == tags[:1]


def test_retention_of_a_bucket_in_use_can_change(cloud: Any, name: str) -> None:
    # S3 API PutObjectLockConfiguration: on new and on existing buckets.
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    retention = {"Mode": "GOVERNANCE", "Days": 3}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    found = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    assert found["Rule"]["DefaultRetention"] == retention


@pytest.mark.parametrize("policy", ["{", "[]", '{"Statement": [{}]}', '{"Version": "2012-10-17"}'])
def test_a_malformed_policy_is_refused_and_does_no_harm(cloud: Any, name: str, policy: str) -> None:
    # S3 API PutBucketPolicy: MalformedPolicy.
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    assert refusal(s3.put_bucket_policy, Bucket=name, Policy=policy)[0] == "MalformedPolicy"
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"x"


def test_conditional_writes_let_one_writer_through(cloud: Any, name: str) -> None:
    # S3 User Guide, "Conditional writes": If-None-Match and If-Match, 412 for all but one.
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)

    def attempt(condition: dict[str, str]) -> str:
        try:
            s3.put_object(Bucket=name, Key="lock", Body=b"x" * 10, **condition)
        except botocore.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return "written"

    def outcomes(condition: dict[str, str]) -> list[str]:
        with ThreadPoolExecutor(max_workers=8) as pool:
            return sorted(pool.map(attempt, [condition] * 16))

    one = ["PreconditionFailed"] * 15 + ["written"]
    assert outcomes({"IfNoneMatch": "*"}) == one
    s3.put_object(Bucket=name, Key="lock", Body=b"first")
    assert outcomes({"IfMatch": s3.head_object(Bucket=name, Key="lock")["ETag"]}) == one


def test_private_zones_are_listed_by_their_vpc(cloud: Any, name: str) -> None:
    # Route 53 API ListHostedZonesByVPC.
    dns = cloud.client("route53")
    vpc = cloud.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    dns.create_hosted_zone(
        Name=f"{name}.internal",
        CallerReference=name,
        VPC={"VPCRegion": "us-east-1", "VPCId": vpc},
        HostedZoneConfig={"PrivateZone": True, "Comment": ""},
    )
    zones = dns.list_hosted_zones_by_vpc(VPCId=vpc, VPCRegion="us-east-1")["HostedZoneSummaries"]
    assert f"{name}.internal." in [zone["Name"] for zone in zones]


def test_a_security_group_in_use_stays(cloud: Any, name: str) -> None:
    # EC2 API DeleteSecurityGroup: DependencyViolation while something uses the group.
    ec2, rds = cloud.client("ec2"), cloud.client("rds")
    vpc = next(item["VpcId"] for item in ec2.describe_vpcs()["Vpcs"] if item["IsDefault"])
    group = ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"]
    cloud.create(name, VpcSecurityGroupIds=[group], BackupRetentionPeriod=0)
    assert refusal(ec2.delete_security_group, GroupId=group)[0] == "DependencyViolation"
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    cloud.await_status(name, "gone")
    ec2.delete_security_group(GroupId=group)
