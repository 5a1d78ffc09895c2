"""The page on AWS accounts names every action that Haven's requests need."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
from botocore import xform_name

from tests.local.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "use-a-real-account.md"
SERVICES = (
    "sts",
    "kms",
    "ec2",
    "rds",
    "iam",
    "secretsmanager",
    "s3",
    "sns",
    "cloudwatch",
    "logs",
    "route53",
    "resourcegroupstaggingapi",
)
# What only 'haven destroy' asks for; the page says that it may delete.
REMOVING = re.compile(r"(Delete|Remove|Schedule|Stop)[A-Z]\w+")
# Where the action has another name than the request (Service Authorization Reference, Amazon S3).
IN_S3 = re.compile(r"(Get|Put)(Bucket|Object|Public)\w+")
S3_ACTIONS = {
    "Encryption": "EncryptionConfiguration",
    "LifecycleConfiguration": "LifecycleConfiguration",
    "Replication": "ReplicationConfiguration",
    "ObjectLockConfiguration": "BucketObjectLockConfiguration",
    "PublicAccessBlock": "BucketPublicAccessBlock",
    "Tagging": "BucketTagging",
    "Policy": "BucketPolicy",
    "Versioning": "BucketVersioning",
}
# What the page says with a star.
OF_RDS = ("DescribeDB", "DescribeEvent")
OTHER_NAMES = {
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
}


def requests() -> Iterator[str]:
    """Yield every request that the code names: as a method of a client, or for a paginator."""
    session = botocore.session.get_session()
    known = {
        xform_name(name): name
        for service in SERVICES
        for name in session.get_service_model(service).operation_names
    }
    for folder in ("tasks", "flows", "haven"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for word in named(path):
                if word in known:
                    yield known[word]


def named(path: Path) -> Iterator[str]:
    """Yield what is called as a method, and what is the first argument of a call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def action(request: str) -> str:
    """Return the name of the action that a request needs."""
    if IN_S3.fullmatch(request):
        for word, name in S3_ACTIONS.items():
            if request.endswith(word):
                return name
    return OTHER_NAMES.get(request, request)


def test_the_page_names_every_action() -> None:
    page = PAGE.read_text(encoding="utf-8")
    needed = {action(name) for name in requests() if not REMOVING.fullmatch(name)}
    assert len(needed) > 90
    missing = {name for name in needed if name not in page and not name.startswith(OF_RDS)}
    assert missing == set()
    assert r"| rds | Describe\*," in page
