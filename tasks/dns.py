"""Route 53: the private zone and its records."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack import names
from haven.stack.dns import Record, Zone
from haven.stack.resource import Found, Resource
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, as_list, only
from tasks.tags import zone_tags

UNFINISHED = "unfinished "
TYPES = frozenset({"A", "CNAME"})


@looks
def observe_dns(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read the zone and all its records.

    The zone's comment is written in the same request as the zone, so it is the mark of
    ownership; it says so while the zone is unfinished, which saves asking for its networks. A
    zone that somebody else made is ours by its tags.
    """
    route53 = site.cloud.client("route53", region)
    found: dict[str, Found[Resource]] = {}
    for zone in only(Zone, wanted):
        item = _find(route53, zone.name)
        if not item:
            continue
        seen = _read_zone(site, route53, zone, item)
        found[zone.address] = seen
        identifier = seen.outputs["id"]
        found |= _records(route53, identifier, only(Record, wanted))
    return found


def _read_zone(site: Site, route53: Any, zone: Zone, item: dict[str, Any]) -> Found[Resource]:
    identifier = item["Id"].rsplit("/", 1)[-1]
    comment = item.get("Config", {}).get("Comment", "")
    made_by_us = comment.removeprefix(UNFINISHED) == zone.comment
    if made_by_us:
        tags, whole = site.tags(zone), comment == zone.comment
    else:
        tags = zone_tags(route53, identifier) | _owner(comment)
        seen_from = route53.get_hosted_zone(Id=identifier).get("VPCs", ())
        whole = len(seen_from) >= len(zone.networks)
    return Found(
        Zone(name=zone.name, region=zone.region, comment=comment, whole=whole),
        f"arn:aws:route53:::hostedzone/{identifier}",
        {"id": identifier},
        tags,
    )


def _owner(comment: str) -> dict[str, str]:
    """Return the tag that another stack's zone comment stands for."""
    key, _, owner = comment.removeprefix(UNFINISHED).partition("=")
    return {names.TAG_STACK: owner} if key == names.TAG_STACK else {}


def _find(route53: Any, name: str) -> dict[str, Any] | None:
    answer = route53.list_hosted_zones_by_name(DNSName=name)
    for item in answer["HostedZones"]:
        if item["Name"].rstrip(".") == name and item.get("Config", {}).get("PrivateZone"):
            zone: dict[str, Any] = item
            return zone
    return None


def _records(route53: Any, zone: str, wanted: Sequence[Record]) -> dict[str, Found[Resource]]:
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    sets = {
        item["Name"].rstrip("."): item
        for page in pages
        for item in page["ResourceRecordSets"]
        if item["Type"] in TYPES
    }
    found: dict[str, Found[Resource]] = {}
    for record in wanted:
        item = sets.get(record.name)
        if item:
            seen = Record(
                name=record.name,
                region=record.region,
                zone=zone,
                target=item["ResourceRecords"][0]["Value"],
                ttl=item.get("TTL", 0),
            )
            found[record.address] = Found(seen, "", {"zone": zone})
    return found


@changes
def apply_zone(
    site: Site, zone: Zone, found: Found[Zone] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Make the zone, seen from both networks; the caller's reference makes that repeatable."""
    route53 = site.client("route53", zone)
    identifier = found.outputs["id"] if found else _create(route53, zone)
    for network in zone.networks[0 if found else 1 :]:
        _associate(route53, identifier, network)
    route53.change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=identifier, AddTags=as_list(site.tags(zone))
    )
    route53.update_hosted_zone_comment(Id=identifier, Comment=zone.comment)
    arn = f"arn:aws:route53:::hostedzone/{identifier}"
    return Found(zone, arn, {"id": identifier}, site.tags(zone))


def _create(route53: Any, zone: Zone) -> str:
    comment = UNFINISHED + zone.comment
    answer = route53.create_hosted_zone(
        Name=zone.name,
        VPC=_vpc(zone.networks[0]),
        CallerReference=f"{zone.comment} {zone.networks[0]}",
        HostedZoneConfig={"Comment": comment, "PrivateZone": True},
    )
    return str(answer["HostedZone"]["Id"].rsplit("/", 1)[-1])


def _associate(route53: Any, identifier: str, network: str) -> None:
    seen = route53.get_hosted_zone(Id=identifier).get("VPCs", ())
    if _vpc(network) not in seen:
        route53.associate_vpc_with_hosted_zone(HostedZoneId=identifier, VPC=_vpc(network))


def _vpc(network: str) -> dict[str, str]:
    region, vpc = network.split(" ")
    return {"VPCRegion": region, "VPCId": vpc}


@changes
def apply_record(
    site: Site, record: Record, found: Found[Record] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Write the record, removing first one of another type with its name."""
    route53 = site.client("route53", record)
    batch = []
    if found and _type(found.resource.target) != _type(record.target):
        batch.append(_change("DELETE", found.resource))
    batch.append(_change("UPSERT", record))
    route53.change_resource_record_sets(HostedZoneId=record.zone, ChangeBatch={"Changes": batch})
    return Found(record, "", {"zone": record.zone})


def _change(action: str, record: Record) -> dict[str, Any]:
    return {
        "Action": action,
        "ResourceRecordSet": {
            "Name": record.name,
            "Type": _type(record.target),
            "TTL": record.ttl,
            "ResourceRecords": [{"Value": record.target}],
        },
    }


def _type(target: str) -> str:
    try:
        ipaddress.ip_address(target)
    except ValueError:
        return "CNAME"
    return "A"


@changes
def delete_record(site: Site, found: Found[Record]) -> None:
    """Delete the record."""
    route53 = site.client("route53", found.resource)
    try:
        route53.change_resource_record_sets(
            HostedZoneId=found.outputs["zone"],
            ChangeBatch={"Changes": [_change("DELETE", found.resource)]},
        )
    except ClientError as error:
        if not is_code(error, "InvalidChangeBatch", "NoSuchHostedZone"):
            raise


@changes
def delete_zone(site: Site, found: Found[Zone]) -> None:
    """Delete the zone."""
    try:
        site.client("route53", found.resource).delete_hosted_zone(Id=found.outputs["id"])
    except ClientError as error:
        if not is_code(error, "NoSuchHostedZone"):
            raise
