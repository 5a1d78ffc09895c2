"""JSON policies of the stack's keys, roles, topics and buckets. Pure text, no effects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

VERSION = "2012-10-17"
ENHANCED_MONITORING = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"


def document(*statements: Mapping[str, Any]) -> str:
    """Write a policy document."""
    return json.dumps({"Version": VERSION, "Statement": list(statements)}, sort_keys=True)


def key(account: str) -> str:
    """Let the account administer the key through IAM, and AWS's publishers use it for topics."""
    return document(
        {
            "Sid": "AccountAdministers",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "PublishersEncrypt",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        },
    )


def trust(service: str, account: str) -> str:
    """Let one service assume the role on behalf of this account only (confused deputy)."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def topic(arn: str, account: str) -> str:
    """Let CloudWatch and RDS publish, and the account manage its topic."""
    return document(
        {
            "Sid": "AccountManages",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": [
                "sns:GetTopicAttributes",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:ListSubscriptionsByTopic",
                "sns:Publish",
            ],
            "Resource": arn,
        },
        {
            "Sid": "ServicesPublish",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        },
    )


def tls_only(bucket_arn: str) -> str:
    """Deny every request to a bucket that does not come over TLS."""
    return document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def read_secrets(secrets: Iterable[str], keys: Iterable[str], regions: Iterable[str]) -> str:
    """Let RDS Proxy read exactly these secrets and use their keys through Secrets Manager."""
    return document(
        {
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "Resource": sorted(secrets),
        },
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": sorted(keys),
            "Condition": {
                "StringEquals": {
                    "kms:ViaService": sorted(
                        f"secretsmanager.{region}.amazonaws.com" for region in regions
                    )
                }
            },
        },
    )


def export(bucket_arn: str) -> str:
    """Let RDS write snapshot exports into a bucket (RDS User Guide, exporting snapshots)."""
    return document(
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": bucket_arn,
        },
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject*", "s3:GetObject*", "s3:DeleteObject*"],
            "Resource": f"{bucket_arn}/*",
        },
    )


def replicate(pairs: Iterable[tuple[str, str]], source_key: str, target_key: str) -> str:
    """Let S3 copy objects, with their keys, from each source bucket to its destination."""
    pairs = sorted(pairs)
    return document(
        {
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
            "Resource": [source for source, _ in pairs],
        },
        {
            "Effect": "Allow",
            "Action": [
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionTagging",
                "s3:GetObjectRetention",
                "s3:GetObjectLegalHold",
            ],
            "Resource": [f"{source}/*" for source, _ in pairs],
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
            "Resource": [f"{target}/*" for _, target in pairs],
        },
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": source_key},
        {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": target_key},
    )


def lifecycle(glacier: int, deep_archive: int, expire: int) -> str:
    """Write the backup bucket's lifecycle: tiers and expiry in days, rubbish after a week."""
    return json.dumps(
        [
            {
                "ID": "archive-and-expire",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Transitions": [
                    {"Days": glacier, "StorageClass": "GLACIER"},
                    {"Days": deep_archive, "StorageClass": "DEEP_ARCHIVE"},
                ],
                "Expiration": {"Days": expire},
                "NoncurrentVersionExpiration": {"NoncurrentDays": expire},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            }
        ],
        sort_keys=True,
    )
