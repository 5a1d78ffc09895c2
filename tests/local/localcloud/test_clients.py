"""Conformance: what awscli and Terraform's AWS provider ask for beyond a flow's own calls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.localcloud.conftest import instance
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local


def test_orderable_options_come_in_long_pages(cloud: Any) -> None:
    # API DescribeOrderableDBInstanceOptions, MaxRecords: 20 to 10000; elsewhere 20 to 100.
    rds = cloud.client("rds")
    found = rds.describe_orderable_db_instance_options(Engine="postgres", MaxRecords=1000)
    assert found["OrderableDBInstanceOptions"]
    assert refusal(rds.describe_db_instances, MaxRecords=1000)[0] == "InvalidParameterValue"


def test_a_zone_with_a_vpc_is_private(cloud: Any, name: str) -> None:
    # Route 53 API CreateHostedZone, VPC: given for a private zone only; GetHostedZone, VPCs.
    route53 = cloud.client("route53")
    vpcs = cloud.client("ec2").describe_vpcs()["Vpcs"]
    vpc = {"VPCRegion": "us-east-1", "VPCId": vpcs[0]["VpcId"]}
    made = route53.create_hosted_zone(Name=f"{name}.internal", CallerReference=name, VPC=vpc)
    assert made["HostedZone"]["Config"]["PrivateZone"]
    assert route53.get_hosted_zone(Id=made["HostedZone"]["Id"])["VPCs"] == [vpc]
    public = route53.create_hosted_zone(Name=f"{name}.example", CallerReference=name + "p")
    assert not public["HostedZone"]["Config"]["PrivateZone"]


def test_versioning_is_suspended(cloud: Any, name: str) -> None:
    # S3 API PutBucketVersioning: Suspended, unless Object Lock or replication needs versions.
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == status


def test_every_bucket_is_encrypted(cloud: Any, name: str) -> None:
    # S3 User Guide, "Setting default server-side encryption": SSE-S3 since 2023-01-05;
    # API DeleteBucketEncryption resets it to SSE-S3.
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    own = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": own})
    s3.delete_bucket_encryption(Bucket=name)
    found = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert found == [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": False,
        }
    ]


def test_a_replica_key_is_not_its_primary(cloud: Any) -> None:
    # KMS API ReplicateKey: Description, Policy and Tags are not shared; DescribeKey tells
    # PRIMARY and REPLICA (MultiRegionConfiguration).
    kms, west = cloud.client("kms"), cloud.client("kms", "us-west-2")
    tag = {"TagKey": "a", "TagValue": "b"}
    key = kms.create_key(MultiRegion=True, Description="first", Tags=[tag])["KeyMetadata"]["KeyId"]
    own = [{"TagKey": "c", "TagValue": "d"}]
    made = kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2", Tags=own)
    assert made["ReplicaKeyMetadata"]["Description"] == ""
    kinds = [
        client.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
        for client in (kms, west)
    ]
    assert [kind["MultiRegionKeyType"] for kind in kinds] == ["PRIMARY", "REPLICA"]
    assert [replica["Region"] for replica in kinds[0]["ReplicaKeys"]] == ["us-west-2"]
    assert west.list_resource_tags(KeyId=key)["Tags"] == own
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [tag]


def test_an_empty_database_name_is_none(cloud: Any, name: str) -> None:
    # API CreateDBInstance, DBName: without it no database is made; Terraform's provider sends
    # an empty one when db_name is not set (aws_db_instance, "db_name").
    made = cloud.client("rds").create_db_instance(**instance(name, DBName=""))
    assert "DBName" not in made["DBInstance"]
    cloud.await_status(name)


def test_replication_is_told_as_it_was_put(cloud: Any, name: str) -> None:
    # S3 API GetBucketReplication: the rules of PutBucketReplication, all their parts.
    s3 = cloud.client("s3")
    for bucket in (name, name + "-copy"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "ID": "one",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": "a/"},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{name}-copy",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": "alias/x"},
        },
    }
    given = {"Role": "arn:aws:iam::123456789012:role/x", "Rules": [rule]}
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=given)
    assert s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"] == given


def test_a_deletion_where_versioning_is_suspended(cloud: Any, name: str) -> None:
    # S3 User Guide, "Adding objects to" and "Deleting objects from versioning-suspended buckets".
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        s3.put_object(Bucket=name, Key="a", Body=status.encode())
    assert s3.delete_object(Bucket=name, Key="a")["VersionId"] == "null"
    listed = s3.list_object_versions(Bucket=name)
    old = [version["VersionId"] for version in listed["Versions"]]
    assert len(old) == 1
    assert [marker["VersionId"] for marker in listed["DeleteMarkers"]] == ["null"]
    both = [{"Key": "a", "VersionId": version} for version in (*old, "null")]
    assert s3.delete_objects(Bucket=name, Delete={"Objects": both[1:]})["Deleted"]
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"Enabled"
    assert s3.delete_objects(Bucket=name, Delete={"Objects": both[:1]})["Deleted"]
    s3.delete_bucket(Bucket=name)
