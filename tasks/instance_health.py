"""What RDS and CloudWatch say of instances: their free storage over time, and their certificates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from haven.diagnosis.storage import Certificate, Point, Volume
from tasks.kinds import looks
from tasks.site import Site

# A week shows what a day of the week does; RDS keeps its events for two.
SPAN = timedelta(days=7)
EVENTS = timedelta(days=1)
PERIOD_S = 3600
# RDS events 0217 and 0218: "Applying autoscaling-initiated modification to allocated storage", and its end.
GREW = "allocated storage"


@dataclass(frozen=True, slots=True)
class Health:
    """The instances of a region: storage, and certificates."""

    volumes: tuple[Volume, ...]
    certificates: tuple[Certificate, ...]


@looks
def read_health(site: Site, region: str, now: datetime) -> Health:
    """Read it of every instance whose name is of the stack."""
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_instances").paginate()
    items = [
        item
        for page in pages
        for item in page["DBInstances"]
        if item["DBInstanceIdentifier"].startswith(f"{site.stack.prefix}-")
    ]
    return Health(
        tuple(_volume(site, rds, region, item, now) for item in items),
        tuple(
            Certificate(
                item["DBInstanceIdentifier"],
                item["CertificateDetails"]["CAIdentifier"],
                item["CertificateDetails"]["ValidTill"],
            )
            for item in items
            if item.get("CertificateDetails", {}).get("ValidTill")
        ),
    )


def _volume(site: Site, rds: Any, region: str, item: dict[str, Any], now: datetime) -> Volume:
    name = item["DBInstanceIdentifier"]
    answer = site.cloud.client("cloudwatch", region).get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="FreeStorageSpace",
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": name}],
        StartTime=now - SPAN,
        EndTime=now,
        Period=PERIOD_S,
        Statistics=["Minimum"],
    )
    points = tuple(Point(one["Timestamp"], one["Minimum"]) for one in answer["Datapoints"])
    return Volume(
        name,
        item["AllocatedStorage"],
        item.get("MaxAllocatedStorage", 0),
        points,
        _grew(rds, name, now),
    )


def _grew(rds: Any, name: str, now: datetime) -> datetime | None:
    """Return when the storage of an instance grew last, within the last day."""
    pages = rds.get_paginator("describe_events").paginate(
        SourceIdentifier=name, SourceType="db-instance", StartTime=now - EVENTS, EndTime=now
    )
    found = [item for page in pages for item in page["Events"] if GREW in item["Message"]]
    return max((item["Date"] for item in found), default=None)
