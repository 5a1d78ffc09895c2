"""After a SIGKILL of the local cloud: no orphan, nobody else's process, and data on request."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import process, processes, sidecar
from tests.local.localcloud import kills
from tests.local.localcloud.conftest import Cloud, instance
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local


def test_random_kills_leave_no_server_and_lose_no_row(place: Path) -> None:
    tally = kills.rounds(place, 3, seed=1)
    assert tally.kills == 3
    assert tally.orphans == []
    assert tally.lost_rows == 0


def _make_family(cloud: Cloud) -> None:
    """A source in groups of its own, and a replica."""
    ec2, rds = cloud.client("ec2"), cloud.client("rds")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    rds.create_db_subnet_group(
        DBSubnetGroupName="own", DBSubnetGroupDescription="own", SubnetIds=subnets
    )
    rds.create_db_parameter_group(
        DBParameterGroupName="own", DBParameterGroupFamily="postgres15", Description="own"
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName="own",
        Parameters=[
            {"ParameterName": "work_mem", "ParameterValue": "5000", "ApplyMethod": "immediate"}
        ],
    )
    cloud.create("source", DBSubnetGroupName="own", DBParameterGroupName="own")
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier="replica", SourceDBInstanceIdentifier="source"
    )
    cloud.await_status("replica")


def test_instances_are_taken_over_and_what_is_lost_is_refused(place: Path) -> None:
    killed = process.start(place)
    _make_family(Cloud(killed))
    before = Cloud(killed).describe("replica")
    Cloud(killed).client("secretsmanager").create_secret(Name="gone", SecretString="gone")
    killed_at = dt.datetime.now(dt.UTC)
    os.kill(killed.pid, signal.SIGKILL)
    killed.stop()
    with process.start(place, options=("--take-over",)) as running:
        cloud = Cloud(running)
        facts = json.loads((place / "cloud.json").read_text())
        assert [arn.rsplit(":", 1)[1] for arn in facts["taken_over"]] == ["replica", "source"]
        source, replica = cloud.await_status("source"), cloud.await_status("replica")
        assert replica["ReadReplicaSourceDBInstanceIdentifier"] == "source"
        assert replica["DbiResourceId"] == before["DbiResourceId"]
        # Its backups were forgotten; the first of the new ones is there already.
        born = cloud.client("rds").describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
        assert [item["DBInstanceIdentifier"] for item in born] == ["source"]
        assert born[0]["SnapshotCreateTime"] > killed_at
        assert source["LatestRestorableTime"] > killed_at
        with cloud.connect(source["Endpoint"]["Address"]) as session:
            assert session.execute("SHOW work_mem").fetchone() == ("5000kB",)
            session.execute("CREATE TABLE fresh ()")
        cloud.await_row(replica["Endpoint"]["Address"], "SELECT count(*) FROM fresh", (0,))
        assert cloud.client("secretsmanager").list_secrets()["SecretList"] == []
        code, message = refusal(
            cloud.client("rds").create_db_instance, **instance("another", DBSubnetGroupName="own")
        )
        assert code == "InvalidVPCNetworkStateFault"
        assert "lost" in message


def test_only_the_recorded_server_is_ended(tmp_path: Path) -> None:
    # The pid is that of another process by now: other start, or other directory.
    data = tmp_path / "clusters" / "db-X" / "data"
    data.mkdir(parents=True)
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen([*waiting, str(data)], stdin=subprocess.PIPE) as other:  # noqa: S603  # ours
        true = {
            "pid": other.pid,
            "data": str(data),
            "started": processes.started(other.pid),
        }
        for wrong in ({"started": "1"}, {"data": str(tmp_path)}, {"pid": "x"}, {"started": None}):
            (data.parent / "server.json").write_text(json.dumps({**true, **wrong}))
            assert sidecar.reap(tmp_path / "clusters") == []
            assert other.poll() is None
        (data.parent / "server.json").write_text(json.dumps(true))
        assert sidecar.reap(tmp_path / "clusters") == [other.pid]
        assert other.wait(10) == -signal.SIGQUIT
