"""Rows: what is refused, and with which code."""

from __future__ import annotations

from tests.local.localcloud.table import Row, refuses

_TRUST = '{"Version": "2012-10-17", "Statement": []}'
_TOPIC = "arn:aws:sns:us-east-1:123456789012:NAME"

REFUSED = [
    Row(
        "CW-01",
        "The state of an alarm that is not there cannot be set: `ResourceNotFound`",
        "CloudWatch API, SetAlarmState",
        "modelled",
        refuses(
            "cloudwatch",
            "set_alarm_state",
            "ResourceNotFound",
            AlarmName="NAME",
            StateValue="OK",
            StateReason="x",
        ),
    ),
    Row(
        "IAM-01",
        "A role that is not there: `NoSuchEntity`",
        "IAM API, GetRole",
        "modelled",
        refuses("iam", "get_role", "NoSuchEntity", RoleName="NAME"),
    ),
    Row(
        "IAM-02",
        "A trust policy that is not JSON: `MalformedPolicyDocument`",
        "IAM API, CreateRole",
        "modelled",
        refuses(
            "iam",
            "create_role",
            "MalformedPolicyDocument",
            RoleName="NAME",
            AssumeRolePolicyDocument="{",
        ),
    ),
    Row(
        "KMS-01",
        "A key that is not there: `NotFoundException`",
        "KMS API, DescribeKey",
        "modelled",
        refuses("kms", "describe_key", "NotFoundException", KeyId="alias/NAME"),
    ),
    Row(
        "KMS-02",
        "A key policy that is not JSON: `MalformedPolicyDocumentException`",
        "KMS API, CreateKey",
        "modelled",
        refuses("kms", "create_key", "MalformedPolicyDocumentException", Policy="{"),
    ),
    Row(
        "RDS-01",
        "An instance that is not there cannot be modified: `DBInstanceNotFound`",
        "RDS API, ModifyDBInstance",
        "modelled",
        refuses("rds", "modify_db_instance", "DBInstanceNotFound", DBInstanceIdentifier="NAME"),
    ),
    Row(
        "RDS-02",
        "An event subscription needs a topic that exists: `SNSTopicArnNotFound`",
        "RDS API, CreateEventSubscription",
        "modelled",
        refuses(
            "rds",
            "create_event_subscription",
            "SNSTopicArnNotFound",
            SubscriptionName="NAME",
            SnsTopicArn=_TOPIC,
        ),
    ),
    Row(
        "RDS-03",
        "A parameter group that is not there: `DBParameterGroupNotFound`",
        "RDS API, ModifyDBParameterGroup",
        "modelled",
        refuses(
            "rds",
            "modify_db_parameter_group",
            "DBParameterGroupNotFound",
            DBParameterGroupName="NAME",
            Parameters=[{"ParameterName": "work_mem", "ParameterValue": "64"}],
        ),
    ),
    Row(
        "RDS-04",
        "A default parameter group cannot be changed: `InvalidDBParameterGroupState`",
        "RDS User Guide, working with parameter groups",
        "recalled",
        refuses(
            "rds",
            "modify_db_parameter_group",
            "InvalidDBParameterGroupState",
            DBParameterGroupName="default.postgres15",
            Parameters=[
                {"ParameterName": "work_mem", "ParameterValue": "64", "ApplyMethod": "immediate"}
            ],
        ),
    ),
    Row(
        "RDS-05",
        "A replica needs a source that exists: `DBInstanceNotFound`",
        "RDS API, CreateDBInstanceReadReplica",
        "modelled",
        refuses(
            "rds",
            "create_db_instance_read_replica",
            "DBInstanceNotFound",
            DBInstanceIdentifier="NAME",
            SourceDBInstanceIdentifier="NAME-source",
        ),
    ),
    Row(
        "S3-01",
        "A bucket that is not there: `NoSuchBucket`",
        "S3 API, error responses",
        "documented",
        refuses("s3", "list_objects_v2", "NoSuchBucket", Bucket="NAME"),
    ),
    Row(
        "SM-01",
        "A secret that is not there: `ResourceNotFoundException`",
        "Secrets Manager API, GetSecretValue",
        "modelled",
        refuses("secretsmanager", "get_secret_value", "ResourceNotFoundException", SecretId="NAME"),
    ),
    Row(
        "SNS-01",
        "A topic that is not there: `NotFound`",
        "SNS API, GetTopicAttributes",
        "modelled",
        refuses("sns", "get_topic_attributes", "NotFound", TopicArn=_TOPIC),
    ),
    Row(
        "SNS-02",
        "The name of a topic is made of letters, digits, hyphens and underscores: "
        "`InvalidParameter`",
        "SNS API, CreateTopic",
        "documented",
        refuses("sns", "create_topic", "InvalidParameter", Name="NAME!"),
    ),
]
