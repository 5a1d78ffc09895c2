"""Tags by ARN: all of a stack's in one request per region, and one resource's for certain.

The tagging API is eventually consistent, so a resource it does not know yet is asked for at
its own service before anybody calls it foreign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.stack import names
from haven.stack.resource import Found, Resource
from tasks.kinds import changes, looks
from tasks.site import Site, as_list, as_map

Tags = Mapping[str, str]


@looks
def observe_tags(site: Site, region: str) -> dict[str, dict[str, str]]:
    """Return the tags of every resource of the stack in a region, by ARN."""
    client = site.cloud.client("resourcegroupstaggingapi", region)
    pages = client.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": names.TAG_STACK, "Values": [site.stack.prefix]}],
        ResourcesPerPage=100,
        TagsPerPage=500,
    )
    return {
        item["ResourceARN"]: as_map(item["Tags"])
        for page in pages
        for item in page["ResourceTagMappingList"]
    }


@looks
def read_tags(site: Site, found: Found[Resource]) -> dict[str, str]:
    """Return one resource's tags as its own service has them."""
    service = found.arn.split(":")[2]
    read = READERS[service]
    return read(site.client(service, found.resource), found)


@changes
def write_tags(site: Site, resource: Resource, found: Found[Resource]) -> None:
    """Put the stack's tags on a resource that exists, leaving others of its tags alone."""
    service = found.arn.split(":")[2]
    write = WRITERS[service]
    write(site.client(service, resource), found, site.tags(resource))


def _read_group(client: Any, found: Found[Resource]) -> dict[str, str]:
    own = [{"Name": "resource-id", "Values": [found.outputs["id"]]}]
    return as_map(client.describe_tags(Filters=own)["Tags"])


def _read_zone(client: Any, found: Found[Resource]) -> dict[str, str]:
    return zone_tags(client, found.outputs["id"])


def zone_tags(client: Any, identifier: str) -> dict[str, str]:
    """Return the tags of a hosted zone."""
    answer = client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=identifier)
    return as_map(answer["ResourceTagSet"].get("Tags"))


def _read_kms(client: Any, found: Found[Resource]) -> dict[str, str]:
    tags: Sequence[Mapping[str, str]] = client.list_resource_tags(KeyId=found.arn)["Tags"]
    return {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _read_bucket(client: Any, found: Found[Resource]) -> dict[str, str]:
    try:
        return as_map(client.get_bucket_tagging(Bucket=found.resource.name)["TagSet"])
    except ClientError as error:
        if not is_code(error, "NoSuchTagSet"):
            raise
        return {}


def _write_kms(client: Any, found: Found[Resource], tags: Tags) -> None:
    entries = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
    client.tag_resource(KeyId=found.arn, Tags=entries)


def _write_bucket(client: Any, found: Found[Resource], tags: Tags) -> None:
    whole = as_list({**(found.tags or {}), **tags})
    client.put_bucket_tagging(Bucket=found.resource.name, Tagging={"TagSet": whole})


READERS: Mapping[str, Callable[[Any, Found[Resource]], dict[str, str]]] = {
    "kms": _read_kms,
    "s3": _read_bucket,
    "rds": lambda client, found: as_map(
        client.list_tags_for_resource(ResourceName=found.arn)["TagList"]
    ),
    "sns": lambda client, found: as_map(
        client.list_tags_for_resource(ResourceArn=found.arn)["Tags"]
    ),
    "cloudwatch": lambda client, found: as_map(
        client.list_tags_for_resource(ResourceARN=found.arn)["Tags"]
    ),
    "logs": lambda client, found: dict(
        client.list_tags_for_resource(resourceArn=found.arn)["tags"]
    ),
    "secretsmanager": lambda client, found: as_map(
        client.describe_secret(SecretId=found.arn).get("Tags")
    ),
    "iam": lambda client, found: as_map(
        client.list_role_tags(RoleName=found.resource.name)["Tags"]
    ),
    "ec2": _read_group,
    "route53": _read_zone,
}
WRITERS: Mapping[str, Callable[[Any, Found[Resource], Tags], object]] = {
    "kms": _write_kms,
    "s3": _write_bucket,
    "rds": lambda client, found, tags: client.add_tags_to_resource(
        ResourceName=found.arn, Tags=as_list(tags)
    ),
    "sns": lambda client, found, tags: client.tag_resource(
        ResourceArn=found.arn, Tags=as_list(tags)
    ),
    "cloudwatch": lambda client, found, tags: client.tag_resource(
        ResourceARN=found.arn, Tags=as_list(tags)
    ),
    "logs": lambda client, found, tags: client.tag_resource(resourceArn=found.arn, tags=dict(tags)),
    "secretsmanager": lambda client, found, tags: client.tag_resource(
        SecretId=found.arn, Tags=as_list(tags)
    ),
    "iam": lambda client, found, tags: client.tag_role(
        RoleName=found.resource.name, Tags=as_list(tags)
    ),
    "ec2": lambda client, found, tags: client.create_tags(
        Resources=[found.outputs["id"]], Tags=as_list(tags)
    ),
    "route53": lambda client, found, tags: client.change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=found.outputs["id"], AddTags=as_list(tags)
    ),
}
