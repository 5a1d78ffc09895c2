"""Operations of S3, which has no operation names on the wire: method, path and query tell."""

from __future__ import annotations

from urllib.parse import parse_qsl

# Sub-resource -> noun of the operation; the verb is the method's.
_BUCKET = {
    "abac": "BucketAbac",
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "BucketAnalyticsConfiguration",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "intelligent-tiering": "BucketIntelligentTieringConfiguration",
    "inventory": "BucketInventoryConfiguration",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "metrics": "BucketMetricsConfiguration",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_DELETED = {"lifecycle": "BucketLifecycle"}
_LISTED = {
    "analytics": "ListBucketAnalyticsConfigurations",
    "inventory": "ListBucketInventoryConfigurations",
    "metrics": "ListBucketMetricsConfigurations",
}
_OBJECT = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
    "torrent": "ObjectTorrent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}


def operation(method: str, path: str, query: str, *, copied: bool = False) -> str:
    """Return the name of an S3 operation in path style."""
    names = dict(parse_qsl(query, keep_blank_values=True))
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    if not key:
        return _of_bucket(method, names)
    return _of_object(method, names, copied=copied)


def _of_bucket(method: str, names: dict[str, str]) -> str:
    sub = next((name for name in names if name in _BUCKET), None)
    if sub is not None:
        if method == "GET" and sub in _LISTED and "id" not in names:
            return _LISTED[sub]
        noun = _DELETED.get(sub, _BUCKET[sub]) if method == "DELETE" else _BUCKET[sub]
        return f"{_VERBS.get(method, method)}{noun}"
    if method == "GET":
        return _listing(names)
    if method == "POST":
        return "DeleteObjects" if "delete" in names else "PostObject"
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}.get(
        method, method
    )


def _listing(names: dict[str, str]) -> str:
    if "uploads" in names:
        return "ListMultipartUploads"
    if "versions" in names:
        return "ListObjectVersions"
    return "ListObjectsV2" if names.get("list-type") == "2" else "ListObjects"


def _of_object(method: str, names: dict[str, str], *, copied: bool) -> str:
    sub = next((name for name in names if name in _OBJECT), None)
    if sub is not None:
        return f"{_VERBS.get(method, method)}{_OBJECT[sub]}"
    if "uploadId" in names:
        return _of_upload(method, names, copied=copied)
    if method == "POST":
        return _of_post(names)
    if method == "PUT":
        return "CopyObject" if copied else "PutObject"
    return f"{_VERBS.get(method, method)}Object"


def _of_post(names: dict[str, str]) -> str:
    if "uploads" in names:
        return "CreateMultipartUpload"
    if "restore" in names:
        return "RestoreObject"
    return "SelectObjectContent" if "select" in names else "PostObject"


def _of_upload(method: str, names: dict[str, str], *, copied: bool) -> str:
    if method == "PUT" and "partNumber" in names:
        return "UploadPartCopy" if copied else "UploadPart"
    return {
        "POST": "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload",
        "GET": "ListParts",
    }.get(method, method)
