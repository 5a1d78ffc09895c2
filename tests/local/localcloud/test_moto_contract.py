"""The names of moto that the local cloud builds on: a new moto that lacks one fails here."""

from __future__ import annotations

import importlib

import pytest

pytest.importorskip("moto")

NAMES = [
    ("moto.core.base_backend", "BackendDict._instances"),
    ("moto.core.base_backend", "backend_lock"),
    ("moto.core.model_instances", "reset_model_data"),
    ("moto.core.base_backend", "BaseBackend.reset"),
    ("moto.core.base_backend", "BaseBackend._url_module"),
    ("moto.core.resource_tagging", "TaggableResourcesMixin.iter_tagged_resources"),
    ("moto.core.resource_tagging", "TaggedResource"),
    ("moto.core.responses", "BaseResponse.call_action"),
    ("moto.core.responses", "BaseResponse.serialized"),
    ("moto.core.responses", "BaseResponse._enrich_response"),
    ("moto.core.responses", "BaseResponse.PROTOCOL_PARSER_MAP_TYPE"),
    ("moto.core.responses", "ActionResult.result"),
    ("moto.core.errors", "ErrorLookupFactory.for_service"),
    ("moto.core.exceptions", "ServiceException"),
    ("moto.rds.models", "rds_backends.backend"),
    ("moto.ec2.models", "EC2Backend.delete_security_group"),
    ("moto.ec2.models.subnets", "Subnet._base_avail_ip_iterator.cache_clear"),
    ("moto.ec2.models", "ec2_backends.backend"),
    ("moto.iam.models", "iam_backends"),
    ("moto.kms.models", "KmsBackend.replicate_key"),
    ("moto.kms.models", "generate_private_key"),
    ("moto.kms.responses", "KmsResponse.get_key_rotation_status"),
    ("moto.secretsmanager.models", "SecretsManagerBackend.update_secret_version_stage"),
    ("moto.cloudwatch.responses", "CloudWatchResponse.describe_alarms"),
    ("moto.ec2.responses.security_groups", "SecurityGroups.describe_security_groups"),
    ("moto.iam.responses", "IamResponse.get_account_authorization_details"),
    ("moto.iam.responses", "IamResponse.list_role_policies"),
    ("moto.kms.responses", "KmsResponse.list_aliases"),
    ("moto.s3.models", "S3Backend.list_buckets"),
    ("moto.s3.models", "S3Backend.head_bucket"),
    ("moto.s3.models", "S3Backend.put_object"),
    ("moto.s3.exceptions", "MissingBucket"),
    ("moto.iam.models", "IAMBackend.create_role"),
    ("moto.iam.models", "IAMBackend._init_aws_policies"),
    ("moto.sns.models", "SNSBackend.publish"),
    ("moto.sns.models", "Subscription.publish"),
    ("moto.sns.models", "Subscription._parse_message_structure"),
    ("moto.sns.models", "Subscription.get_post_data"),
    ("moto.sns.responses", "SNSResponse.confirm_subscription"),
    ("moto.sns.responses", "SNSResponse.list_subscriptions_by_topic"),
    ("moto.cloudwatch.models", "CloudWatchBackend.put_metric_alarm"),
    ("moto.cloudwatch.models", "CloudWatchBackend.put_metric_data"),
    ("moto.cloudwatch.models", "CloudWatchBackend.set_alarm_state"),
    ("moto.cloudwatch.models", "Alarm.update_state"),
    ("moto.cloudwatch.models", "MetricDatum"),
    ("moto.logs.models", "LogsBackend.put_retention_policy"),
    ("moto.route53.urls", "url_paths"),
    ("moto.route53.responses", "Route53.create_hosted_zone"),
    ("moto.route53.models", "route53_backends.backend"),
    ("moto.s3.models", "S3Backend.put_bucket_versioning"),
    ("moto.s3.models", "S3Backend.delete_object"),
    ("moto.s3.models", "FakeDeleteMarker"),
    ("moto.s3.responses", "S3Response.get_bucket_replication"),
    ("moto.s3.responses", "S3Response._bucket_response_put"),
    ("moto.s3.models", "S3Backend.put_object_lock_configuration"),
    ("moto.server", "DomainDispatcherApplication.get_application"),
    ("moto.server", "create_backend_app"),
]


@pytest.mark.parametrize(("module", "path"), NAMES, ids=[f"{m}.{p}" for m, p in NAMES])
def test_moto_has(module: str, path: str) -> None:
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
