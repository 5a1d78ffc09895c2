"""Getting objects back out of the archive, and lifecycles that somebody changed."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from flows.archive_restore import ArchiveReport, restore_archive
from haven.errors import InvalidRequest, Refused
from haven.retention.archive import Tier
from haven.stack import names
from tests.local.housekeeping.conftest import keep_house, subjects
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

PREFIX = "exports/2025/"
FIVE_MINUTES = 301


@pytest.fixture
def frozen(kept: Place) -> str:
    """Two objects in the archive, and one beside them that is not."""
    s3, bucket = kept.client("s3"), names.bucket(kept.stack, "backups")
    for key, storage_class in (("a", "GLACIER"), ("b", "GLACIER"), ("manifest.json", "STANDARD")):
        s3.put_object(Bucket=bucket, Key=f"{PREFIX}{key}", Body=b"x", StorageClass=storage_class)
    return bucket


def ask(place: Place, **given: Any) -> ArchiveReport:
    usual = {"days": 3, "tier": Tier.EXPEDITED, "recovery": False, "dry_run": False}
    return restore_archive(place.run(), given.pop("prefix", PREFIX), **{**usual, **given})


def advance(place: Place) -> None:
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{place.settings.endpoint_url}/localcloud/clock",
        data=json.dumps({"advance": FIVE_MINUTES}).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # loopback


def test_objects_are_asked_for_once_and_come_within_their_time(kept: Place, frozen: str) -> None:
    dry = ask(kept, dry_run=True)
    assert (len(dry.steps), dry.aws_writes) == (2, 0)
    assert dry.steps[0].because == "0.000 GiB in GLACIER, Expedited: within 0.1 hours"
    first = ask(kept)
    assert (first.objects, first.ready, first.aws_writes) == (
        {"on its way": 2, "warm": 1},
        False,
        2,
    )
    again = ask(kept)
    assert (again.objects, again.aws_writes) == (first.objects, 0)
    advance(kept)
    done = ask(kept)
    assert (done.objects, done.ready, done.aws_writes) == ({"ready": 2, "warm": 1}, True, 0)
    assert kept.client("s3").get_object(Bucket=frozen, Key=f"{PREFIX}a")["Body"].read() == b"x"


def test_what_is_not_there_or_not_offered_is_refused(kept: Place, frozen: str) -> None:
    with pytest.raises(Refused, match="There is nothing in"):
        ask(kept, prefix="nothing/")
    kept.client("s3").put_object(
        Bucket=frozen, Key="deep/a", Body=b"x", StorageClass="DEEP_ARCHIVE"
    )
    with pytest.raises(InvalidRequest, match="DEEP_ARCHIVE has no Expedited retrieval"):
        ask(kept, prefix="deep/")


def test_a_lifecycle_that_somebody_changed_is_put_right(kept: Place) -> None:
    s3, bucket = kept.client("s3"), names.bucket(kept.stack, "backups")
    wanted = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    rule = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    report = keep_house(kept, confirm="")
    assert subjects(report) == [f"update bucket/us-east-1/{bucket}"]
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == wanted
    assert keep_house(kept).steps == []
    assert "objects leave Glacier after 60 days, and 90 are billed" in report.details


@pytest.mark.usefixtures("frozen")
def test_sizes_count_versions_by_their_class(kept: Place) -> None:
    report = keep_house(kept, dry_run=True)
    assert any(line.startswith("S3 Glacier Flexible Retrieval: ") for line in report.cost_before)
    assert any(line.startswith("S3 Standard: ") for line in report.cost_before)
