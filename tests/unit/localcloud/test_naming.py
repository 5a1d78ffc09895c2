"""What a request asks for, read off its method, path and query."""

from __future__ import annotations

import pytest

from localcloud import calls, error_shapes, naming, rest_naming, s3_naming

S3 = [
    ("GET", "/", "", "ListBuckets"),
    ("PUT", "/b", "", "CreateBucket"),
    ("PUT", "/b/", "", "CreateBucket"),
    ("HEAD", "/b", "", "HeadBucket"),
    ("DELETE", "/b", "", "DeleteBucket"),
    ("GET", "/b", "list-type=2&prefix=x", "ListObjectsV2"),
    ("GET", "/b", "", "ListObjects"),
    ("GET", "/b", "versions", "ListObjectVersions"),
    ("GET", "/b", "uploads", "ListMultipartUploads"),
    ("PUT", "/b", "versioning", "PutBucketVersioning"),
    ("GET", "/b", "lifecycle", "GetBucketLifecycleConfiguration"),
    ("DELETE", "/b", "lifecycle", "DeleteBucketLifecycle"),
    ("PUT", "/b", "object-lock", "PutObjectLockConfiguration"),
    ("PUT", "/b", "publicAccessBlock", "PutPublicAccessBlock"),
    ("GET", "/b", "inventory", "ListBucketInventoryConfigurations"),
    ("GET", "/b", "inventory&id=1", "GetBucketInventoryConfiguration"),
    ("POST", "/b", "delete", "DeleteObjects"),
    ("PUT", "/b/a/key", "", "PutObject"),
    ("GET", "/b/a/key", "", "GetObject"),
    ("GET", "/b/a/key", "versionId=1", "GetObject"),
    ("HEAD", "/b/k", "", "HeadObject"),
    ("DELETE", "/b/k", "versionId=1", "DeleteObject"),
    ("PUT", "/b/k", "tagging", "PutObjectTagging"),
    ("PUT", "/b/k", "retention", "PutObjectRetention"),
    ("GET", "/b/k", "attributes", "GetObjectAttributes"),
    ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
    ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart"),
    ("POST", "/b/k", "uploadId=u", "CompleteMultipartUpload"),
    ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload"),
    ("GET", "/b/k", "uploadId=u", "ListParts"),
    ("POST", "/b/k", "restore", "RestoreObject"),
]


@pytest.mark.parametrize(("method", "path", "query", "name"), S3)
def test_s3(method: str, path: str, query: str, name: str) -> None:
    assert s3_naming.operation(method, path, query) == name


def test_s3_copies() -> None:
    assert s3_naming.operation("PUT", "/b/k", "", copied=True) == "CopyObject"
    part = s3_naming.operation("PUT", "/b/k", "partNumber=1&uploadId=u", copied=True)
    assert part == "UploadPartCopy"


REST = [
    ("route53", "POST", "/2013-04-01/hostedzone", "CreateHostedZone"),
    ("route53", "GET", "/2013-04-01/hostedzone/Z1/rrset", "ListResourceRecordSets"),
    ("route53", "GET", "/2013-04-01/hostedzone/Z1", "GetHostedZone"),
    ("backup", "GET", "/backup-jobs/", "ListBackupJobs"),
    ("none", "GET", "/x", "GET /x"),
]


@pytest.mark.parametrize(("service", "method", "path", "name"), REST)
def test_rest(service: str, method: str, path: str, name: str) -> None:
    assert rest_naming.operation(service, method, path) == name


def test_forms_and_targets() -> None:
    signed = "AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/rds/aws4_request, SignedHeaders=x"
    form = {"HTTP_AUTHORIZATION": signed, "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    assert naming.of(form, b"Action=DescribeDBInstances&Version=1") == naming.Named(
        "rds", "eu-west-1", "DescribeDBInstances"
    )
    target = {
        "HTTP_AUTHORIZATION": signed.replace("rds", "kms"),
        "HTTP_X_AMZ_TARGET": "TrentService.CreateKey",
    }
    assert naming.of(target, b"").operation == "CreateKey"


def test_presigned_requests_have_their_scope_in_the_query() -> None:
    query = "X-Amz-Credential=K%2F20260101%2Feu-west-1%2Fs3%2Faws4_request"
    assert naming.scope("", query) == ("eu-west-1", "s3")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("DescribeDBInstances", False),
        ("GetObject", False),
        ("HeadBucket", False),
        ("ListBuckets", False),
        ("BatchGetSecretValue", False),
        ("LookupEvents", False),
        ("SimulatePrincipalPolicy", False),
        ("CreateBucket", True),
        ("ModifyDBInstance", True),
        ("PutObject", True),
    ],
)
def test_mutating(name: str, *, changes: bool) -> None:
    assert calls.mutates(name) is changes


@pytest.mark.parametrize(
    ("service", "kind", "inside"),
    [
        ("rds", "application/x-www-form-urlencoded", b"<ErrorResponse><Error>"),
        ("s3", "application/xml", b"<Error><Code>"),
        ("ec2", "application/x-www-form-urlencoded", b"<Response><Errors><Error>"),
        ("kms", "application/x-amz-json-1.1", b'{"__type": "'),
    ],
)
def test_errors_have_their_protocol_and_are_read_back(
    service: str, kind: str, inside: bytes
) -> None:
    shaped = error_shapes.shape(service, kind, "SomeCode", "a < b", "400 SomeCode")
    assert inside in shaped.body
    assert error_shapes.code_in(shaped.body) == "SomeCode"
