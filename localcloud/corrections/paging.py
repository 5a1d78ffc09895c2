"""Answers in pages, where moto tells everything at once however little was asked for.

AWS: a page holds at most what the request's limit says, and a token leads to the next one; botocore's
paginator models name limit, tokens and lists of each operation. moto pages some operations and
not those below, so a client that forgets to ask for the next page would never notice. Of S3's buckets
moto cuts the list and gives no token (API ListBuckets, ContinuationToken).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.ec2.responses.security_groups import SecurityGroups
from moto.iam.responses import IamResponse
from moto.kms.responses import KmsResponse
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

_UNPAGED = (
    (CloudWatchResponse, "cloudwatch", "describe_alarms", "DescribeAlarms"),
    (SecurityGroups, "ec2", "describe_security_groups", "DescribeSecurityGroups"),
    (IamResponse, "iam", "get_account_authorization_details", "GetAccountAuthorizationDetails"),
    (IamResponse, "iam", "list_role_policies", "ListRolePolicies"),
    (KmsResponse, "kms", "list_aliases", "ListAliases"),
)
_LIST_BUCKETS = "ListBuckets"


def attach() -> None:
    """Let each of these operations answer in pages."""
    for kind, service, method, operation in _UNPAGED:
        setattr(kind, method, _paged(getattr(kind, method), _model(service, operation)))
    _page_buckets()


def _model(service: str, operation: str) -> Mapping[str, Any]:
    model = botocore.session.get_session().get_paginator_model(service)
    found: Mapping[str, Any] = model.get_paginator(operation)
    return found


def _paged(answer: Callable[[Any], Any], model: Mapping[str, Any]) -> Callable[[Any], Any]:
    @functools.wraps(answer)
    def paged(self: Any) -> Any:
        whole = answer(self)
        limit, token = self._get_param(model["limit_key"]), self._get_param(model["input_token"])
        if isinstance(whole, str):
            return json.dumps(cut(json.loads(whole), model, limit, token))
        return ActionResult(cut(whole.result, model, limit, token))

    return paged


def cut(
    whole: Mapping[str, Any], model: Mapping[str, Any], limit: Any, token: str | None
) -> dict[str, Any]:
    """Return the page of an answer that a limit and a token ask for; all without a limit.

    ``model`` is botocore's of the paginator. An answer of several lists is one sequence of them.
    """
    if not limit:
        return dict(whole)
    keys = model["result_key"]
    keys = [keys] if isinstance(keys, str) else keys
    entries = [(key, item) for key in keys for item in whole.get(key) or ()]
    start = int(token or 0)
    end = start + int(limit)
    page = dict(whole)
    for key in keys:
        if key in whole:
            page[key] = [item for name, item in entries[start:end] if name == key]
    if end < len(entries):
        page[model["output_token"]] = str(end)
        if "more_results" in model:
            page[model["more_results"]] = True
    return page


def _page_buckets() -> None:
    listed, serialized = S3Backend.list_buckets, S3Response.serialized
    model = _model("s3", _LIST_BUCKETS)

    def list_buckets(
        self: Any, prefix: str | None, bucket_region: str | None, max_buckets: str | None
    ) -> list[Any]:
        del max_buckets
        return sorted(listed(self, prefix, bucket_region, None), key=lambda bucket: bucket.name)

    def serialized_page(self: Any, result: Any) -> Any:
        if self.data.get("Action") == _LIST_BUCKETS:
            limit = self._get_param("max-buckets")
            token = self._get_param("continuation-token")
            result = ActionResult(cut(result.result, model, limit, token))
        return serialized(self, result)

    S3Backend.list_buckets = list_buckets
    S3Response.serialized = serialized_page
