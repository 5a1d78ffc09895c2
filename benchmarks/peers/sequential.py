"""The peer of ``benchmarks/provision.py``: the same stack by a plain boto3 script, one call after another.

What a careful person would write by hand: the same resources with the same settings, in an order
that works, each waited for before the next. It cannot be run twice, and finds no drift.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import boto3

HOME, RECOVERY = "us-east-1", "us-west-2"
ACCOUNT, NAME = "123456789012", "peer-local"
LOGINS = ("master", "haven_migrator", "haven_app_a", "haven_app_b", "haven_reader", "haven_auditor")
INSTANCES = (
    (HOME, f"{NAME}-primary"),
    (HOME, f"{NAME}-replica-1"),
    (HOME, f"{NAME}-replica-2"),
    (RECOVERY, f"{NAME}-dr"),
)
GROUPS = ("app", "runner", "proxy", "database")
RULES = (
    ("egress", "app", 5432, "proxy"),
    ("egress", "runner", 443, None),
    ("egress", "runner", 5432, "proxy"),
    ("egress", "runner", 5432, "database"),
    ("ingress", "proxy", 5432, "app"),
    ("ingress", "proxy", 5432, "runner"),
    ("egress", "proxy", 5432, "database"),
    ("egress", "proxy", 443, None),
    ("ingress", "database", 5432, "proxy"),
    ("ingress", "database", 5432, "runner"),
)
METRICS = ("CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "ReplicaLag")
MONITORING = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
ROLES = {
    "monitoring": "monitoring.rds.amazonaws.com",
    "proxy": "rds.amazonaws.com",
    "export": "export.rds.amazonaws.com",
    "replication": "s3.amazonaws.com",
}
POLL_SECONDS = 0.1
PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
_PAUSE = threading.Event()


class Script:
    """Clients by service and region, and what was made so far."""

    def __init__(self, endpoint: str) -> None:
        """Use credentials that only a local cloud takes."""
        self._endpoint = endpoint
        self._session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local")  # noqa: S106
        self._clients: dict[tuple[str, str], Any] = {}
        self.ids: dict[str, str] = {}

    def at(self, service: str, region: str = HOME) -> Any:
        """Return a client, made once."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service, region_name=region, endpoint_url=self._endpoint
            )
        return self._clients[key]


def make_stack(endpoint: str) -> None:
    """Make the whole stack."""
    script = Script(endpoint)
    for region in (HOME, RECOVERY):
        _key(script, region)
        _network(script, region)
        _topic(script, region)
    _roles(script)
    _parameter_groups(script)
    _buckets(script)
    _secrets(script)
    _logs_and_alarms(script)
    _instances(script)
    _proxies(script)
    _secret_hosts(script)
    _dns(script)


def _key(script: Script, region: str) -> None:
    kms = script.at("kms", region)
    made = kms.create_key(Description=NAME)["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{NAME}", TargetKeyId=made["KeyId"])
    kms.enable_key_rotation(KeyId=made["KeyId"], RotationPeriodInDays=365)
    script.ids[f"key {region}"] = made["Arn"]


def _network(script: Script, region: str) -> None:
    ec2, rds = script.at("ec2", region), script.at("rds", region)
    found = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    subnets = [item["SubnetId"] for item in found["Subnets"]]
    vpc = found["Subnets"][0]["VpcId"]
    script.ids |= {f"vpc {region}": vpc, f"subnets {region}": " ".join(subnets)}
    rds.create_db_subnet_group(
        DBSubnetGroupName=NAME, DBSubnetGroupDescription=NAME, SubnetIds=subnets
    )
    for group in GROUPS:
        made = ec2.create_security_group(GroupName=f"{NAME}-{group}", Description=group, VpcId=vpc)
        script.ids[f"{group} {region}"] = made["GroupId"]
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.revoke_security_group_egress(GroupId=made["GroupId"], IpPermissions=[everything])
    for direction, group, port, peer in RULES:
        allowed: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        if peer:
            allowed["UserIdGroupPairs"] = [{"GroupId": script.ids[f"{peer} {region}"]}]
        else:
            allowed["IpRanges"] = [{"CidrIp": "0.0.0.0/0"}]
        authorize = getattr(ec2, f"authorize_security_group_{direction}")
        authorize(GroupId=script.ids[f"{group} {region}"], IpPermissions=[allowed])


def _topic(script: Script, region: str) -> None:
    sns = script.at("sns", region)
    attributes = {"KmsMasterKeyId": script.ids[f"key {region}"]}
    topic = sns.create_topic(Name=f"{NAME}-alerts", Attributes=attributes)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="alerts@example.org")
    script.ids[f"topic {region}"] = topic


def _roles(script: Script) -> None:
    iam = script.at("iam")
    for use, service in ROLES.items():
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        made = iam.create_role(RoleName=f"{NAME}-{use}", AssumeRolePolicyDocument=json.dumps(trust))
        script.ids[f"role {use}"] = made["Role"]["Arn"]
        if use == "monitoring":
            iam.attach_role_policy(RoleName=f"{NAME}-{use}", PolicyArn=MONITORING)
            continue
        allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        iam.put_role_policy(
            RoleName=f"{NAME}-{use}", PolicyName="peer", PolicyDocument=json.dumps(policy)
        )


def _parameter_groups(script: Script) -> None:
    for region, use in ((HOME, "primary"), (HOME, "replica"), (RECOVERY, "dr")):
        rds = script.at("rds", region)
        name = f"{NAME}-{use}"
        rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily="postgres15", Description=use
        )
        values = {"max_connections": "200", "log_min_duration_statement": "1000"}
        parameters = [
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for key, value in values.items()
        ]
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=parameters)


def _buckets(script: Script) -> None:
    for use in ("state", "backups", "evidence"):
        for region in (RECOVERY, HOME):
            _bucket(script, use, region)


def _bucket(script: Script, use: str, region: str) -> None:
    s3 = script.at("s3", region)
    name = f"{NAME}-{use}-{region}"
    more: dict[str, Any] = {}
    if region != HOME:
        more["CreateBucketConfiguration"] = {"LocationConstraint": region}
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=use == "evidence", **more)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PRIVATE)
    if use == "state":
        return
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": script.ids[f"key {region}"]}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if region == HOME:
        rule = {
            "ID": "copy",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{NAME}-{use}-{RECOVERY}"},
        }
        role = script.ids["role replication"]
        s3.put_bucket_replication(
            Bucket=name, ReplicationConfiguration={"Role": role, "Rules": [rule]}
        )


def _secrets(script: Script) -> None:
    client = script.at("secretsmanager")
    for login in LOGINS:
        password = client.get_random_password(PasswordLength=40, ExcludePunctuation=True)
        content = {"username": login, "password": password["RandomPassword"]}
        copies = [{"Region": RECOVERY, "KmsKeyId": script.ids[f"key {RECOVERY}"]}]
        made = client.create_secret(
            Name=f"{NAME}/{login}",
            SecretString=json.dumps(content),
            KmsKeyId=script.ids[f"key {HOME}"],
            AddReplicaRegions=copies,
        )
        script.ids[f"secret {login}"] = made["ARN"]


def _logs_and_alarms(script: Script) -> None:
    for region, instance in INSTANCES:
        logs, watch = script.at("logs", region), script.at("cloudwatch", region)
        group = f"/aws/rds/instance/{instance}/postgresql"
        logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=365)
        for metric in METRICS if "primary" not in instance else METRICS[:3]:
            watch.put_metric_alarm(
                AlarmName=f"{instance}-{metric}",
                Namespace="AWS/RDS",
                MetricName=metric,
                Dimensions=[{"Name": "DBInstanceIdentifier", "Value": instance}],
                Statistic="Average",
                ComparisonOperator="GreaterThanThreshold",
                Threshold=80,
                Period=300,
                EvaluationPeriods=2,
                AlarmActions=[script.ids[f"topic {region}"]],
            )
    script.at("rds").create_event_subscription(
        SubscriptionName=NAME, SnsTopicArn=script.ids[f"topic {HOME}"], SourceType="db-instance"
    )


def _instances(script: Script) -> None:
    rds = script.at("rds")
    content = script.at("secretsmanager").get_secret_value(SecretId=f"{NAME}/master")
    rds.create_db_instance(
        **_common(script, HOME, "primary"),
        DBInstanceIdentifier=f"{NAME}-primary",
        Engine="postgres",
        EngineVersion="15",
        DBName="haven_health_db",
        MasterUsername="haven_admin",
        MasterUserPassword=json.loads(content["SecretString"])["password"],
        AllocatedStorage=20,
        StorageEncrypted=True,
        KmsKeyId=script.ids[f"key {HOME}"],
        MultiAZ=True,
        BackupRetentionPeriod=35,
        DBSubnetGroupName=NAME,
    )
    _wait_instance(script, HOME, f"{NAME}-primary")
    source = f"arn:aws:rds:{HOME}:{ACCOUNT}:db:{NAME}-primary"
    for region, name in INSTANCES[1:]:
        away = region != HOME
        more = {"KmsKeyId": script.ids[f"key {region}"], "DBSubnetGroupName": NAME} if away else {}
        script.at("rds", region).create_db_instance_read_replica(
            **_common(script, region, "dr" if away else "replica"),
            **more,
            DBInstanceIdentifier=name,
            SourceDBInstanceIdentifier=source if away else f"{NAME}-primary",
        )
        _wait_instance(script, region, name)
    script.at("rds", RECOVERY).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=source, KmsKeyId=script.ids[f"key {RECOVERY}"], SourceRegion=HOME
    )


def _common(script: Script, region: str, use: str) -> dict[str, Any]:
    return {
        "DBInstanceClass": "db.t4g.medium",
        "DBParameterGroupName": f"{NAME}-{use}",
        "VpcSecurityGroupIds": [script.ids[f"database {region}"]],
        "StorageType": "gp3",
        "MonitoringInterval": 60,
        "MonitoringRoleArn": script.ids["role monitoring"],
        "EnablePerformanceInsights": True,
        "EnableCloudwatchLogsExports": ["postgresql"],
        "CopyTagsToSnapshot": True,
    }


def _wait_instance(script: Script, region: str, name: str) -> None:
    rds = script.at("rds", region)
    while True:
        item = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        if item["DBInstanceStatus"] == "available":
            return
        _PAUSE.wait(POLL_SECONDS)


def _proxies(script: Script) -> None:
    for region in (HOME, RECOVERY):
        rds = script.at("rds", region)
        arns = [script.ids[f"secret {login}"] for login in ("haven_app_a", "haven_app_b")]
        rds.create_db_proxy(
            DBProxyName=NAME,
            EngineFamily="POSTGRESQL",
            Auth=[
                {
                    "AuthScheme": "SECRETS",
                    "SecretArn": arn.replace(f":{HOME}:", f":{region}:"),
                    "IAMAuth": "DISABLED",
                }
                for arn in arns
            ],
            RoleArn=script.ids["role proxy"],
            VpcSubnetIds=script.ids[f"subnets {region}"].split(),
            VpcSecurityGroupIds=[script.ids[f"proxy {region}"]],
            RequireTLS=True,
        )
        while rds.describe_db_proxies(DBProxyName=NAME)["DBProxies"][0]["Status"] != "available":
            _PAUSE.wait(POLL_SECONDS)
        pool = {"MaxConnectionsPercent": 100, "MaxIdleConnectionsPercent": 50}
        rds.modify_db_proxy_target_group(
            DBProxyName=NAME, TargetGroupName="default", ConnectionPoolConfig=pool
        )
    script.at("rds").register_db_proxy_targets(
        DBProxyName=NAME, DBInstanceIdentifiers=[f"{NAME}-primary"]
    )


def _secret_hosts(script: Script) -> None:
    client, rds = script.at("secretsmanager"), script.at("rds")
    found = rds.describe_db_instances(DBInstanceIdentifier=f"{NAME}-primary")["DBInstances"][0]
    for login in LOGINS:
        name = f"{NAME}/{login}"
        content = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
        content["host"] = found["Endpoint"]["Address"]
        client.put_secret_value(SecretId=name, SecretString=json.dumps(content))


def _dns(script: Script) -> None:
    route53 = script.at("route53")
    zone = route53.create_hosted_zone(
        Name=f"{NAME}.internal",
        VPC={"VPCRegion": HOME, "VPCId": script.ids[f"vpc {HOME}"]},
        CallerReference=NAME,
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    for region in (HOME, RECOVERY):
        found = script.at("rds", region).describe_db_proxies(DBProxyName=NAME)["DBProxies"][0]
        record = {
            "Name": f"writer-{region}.{NAME}.internal",
            "Type": "A",
            "TTL": 30,
            "ResourceRecords": [{"Value": found["Endpoint"]}],
        }
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
