"""The process: control endpoint, recorded calls, reset, a clean end, no orphan after a kill."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from localcloud import process
from localcloud.errors import LocalCloudError
from tests.local.localcloud import conftest, kills

pytestmark = pytest.mark.local


def _postmasters(data: Path) -> list[int]:
    """The recorded server processes of one data directory that are alive."""
    return [pid for pid in kills.recorded(data) if Path(f"/proc/{pid}").exists()]


def _await_end(pids: list[int]) -> None:
    pause = threading.Event()
    end = time.monotonic() + 20
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < end, f"{pids} are still alive"
        pause.wait(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_calls_are_recorded_in_order(cloud: Any, name: str) -> None:
    s3, rds = cloud.client("s3"), cloud.client("rds", "us-west-2")
    cloud.control("DELETE", "calls")
    s3.create_bucket(Bucket=name)
    s3.get_bucket_location(Bucket=name)
    with pytest.raises(rds.exceptions.DBInstanceNotFoundFault):
        rds.describe_db_instances(DBInstanceIdentifier="none")
    calls = cloud.control("GET", "calls")["calls"]
    told = [(c["service"], c["operation"], c["region"], c["error"], c["mutating"]) for c in calls]
    assert told == [
        ("s3", "CreateBucket", "us-east-1", None, True),
        ("s3", "GetBucketLocation", "us-east-1", None, False),
        ("rds", "DescribeDBInstances", "us-west-2", "DBInstanceNotFound", False),
    ]


def test_latency_of_calls_can_be_set(cloud: Any) -> None:
    cloud.control("POST", "latency", {"api": 0.3})
    started = time.monotonic()
    cloud.client("sts").get_caller_identity()
    cloud.control("POST", "latency", {"api": 0})
    assert time.monotonic() - started >= 0.3


def test_reset_stops_everything_and_forgets(place: Path) -> None:
    with process.start(place) as running:
        cloud = conftest.Cloud(running)
        cloud.create("one")
        cloud.client("s3").create_bucket(Bucket="bucket-of-before")
        pids = _postmasters(place)
        cloud.control("POST", "reset")
        _await_end(pids)
        assert cloud.client("rds").describe_db_instances()["DBInstances"] == []
        assert cloud.client("s3").list_buckets()["Buckets"] == []
        assert list((place / "backups").iterdir()) == []
        cloud.create("one")
        facts = json.loads((place / "cloud.json").read_text())
        assert facts["endpoint_url"] == running.endpoint_url
        pids = _postmasters(place)
        assert len(pids) == 1
    _await_end(pids)
    assert not (place / "cloud.json").exists()


def test_a_killed_process_leaves_no_server(place: Path) -> None:
    running = process.start(place)
    conftest.Cloud(running).create("one")
    pids = _postmasters(place)
    assert pids
    os.kill(running.pid, signal.SIGKILL)
    running.stop()
    _await_end(pids)
    assert list((place / "backups").iterdir())
    with process.start(place):
        assert list((place / "backups").iterdir()) == []


def test_a_taken_port_is_told(cloud: Any, place: Path) -> None:
    port = int(cloud.running.endpoint_url.rsplit(":", 1)[1])
    with pytest.raises(LocalCloudError, match=f"Port {port}"):
        process.start(place, port)


def test_one_address_serves_where_many_cannot_be_had(place: Path) -> None:
    with process.start(place, options=("--one-address",)) as running:
        cloud = conftest.Cloud(running)
        endpoint = cloud.create("one")["Endpoint"]
        assert endpoint["Address"] == "127.0.0.1"
        cloud.connect(endpoint["Address"], port=endpoint["Port"]).close()
