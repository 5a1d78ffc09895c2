"""Taking Haven's marks off a stack, so that it stands as if something else had built it."""

from collections.abc import Callable
from typing import Any

from haven.stack import names
from haven.stack.model import Stack

MARKS = [names.TAG_STACK, names.TAG_ROLE, names.TAG_MANAGED_BY]
OTHERS = {"Environment": "production"}
Client = Callable[[str, str], Any]


def strip(client: Client, stack: Stack) -> None:
    """Take Haven's tags off everything of the stack; its buckets get others instead."""
    for region in (stack.region, stack.recovery_region):
        for arn in sorted(_marked(client("resourcegroupstaggingapi", region), stack)):
            if ":secret:" in arn and region != stack.region:
                continue  # a copy, which has its original's tags
            service = arn.split(":")[2]
            STRIP[service](client(service, region), arn)
    _strip_roles(client("iam", stack.region), stack)
    _strip_zone(client("route53", stack.region), stack)


def _marked(tagging: Any, stack: Stack) -> set[str]:
    marks = [{"Key": names.TAG_STACK, "Values": [stack.prefix]}]
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=marks)
    return {item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]}


def _strip_bucket(s3: Any, arn: str) -> None:
    tags = [{"Key": key, "Value": value} for key, value in OTHERS.items()]
    s3.put_bucket_tagging(Bucket=arn.rsplit(":", 1)[1], Tagging={"TagSet": tags})


def _strip_roles(iam: Any, stack: Stack) -> None:
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith(stack.prefix):
                iam.untag_role(RoleName=role["RoleName"], TagKeys=MARKS)


def _strip_zone(route53: Any, stack: Stack) -> None:
    (zone,) = [
        item
        for item in route53.list_hosted_zones()["HostedZones"]
        if item["Name"] == f"{names.zone(stack)}."
    ]
    identifier = zone["Id"].rsplit("/", 1)[1]
    route53.update_hosted_zone_comment(Id=identifier, Comment="Managed by Terraform")
    route53.change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=identifier, RemoveTagKeys=MARKS
    )


STRIP: dict[str, Callable[[Any, str], object]] = {
    "ec2": lambda client, arn: client.delete_tags(
        Resources=[arn.rsplit("/", 1)[1]], Tags=[{"Key": key} for key in MARKS]
    ),
    "rds": lambda client, arn: client.remove_tags_from_resource(ResourceName=arn, TagKeys=MARKS),
    "sns": lambda client, arn: client.untag_resource(ResourceArn=arn, TagKeys=MARKS),
    "cloudwatch": lambda client, arn: client.untag_resource(ResourceARN=arn, TagKeys=MARKS),
    "logs": lambda client, arn: client.untag_resource(resourceArn=arn, tagKeys=MARKS),
    "kms": lambda client, arn: client.untag_resource(KeyId=arn, TagKeys=MARKS),
    "secretsmanager": lambda client, arn: client.untag_resource(SecretId=arn, TagKeys=MARKS),
    "s3": _strip_bucket,
}
