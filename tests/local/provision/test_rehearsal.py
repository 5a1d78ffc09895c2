"""A rehearsal makes an instance of its own, tells what it measured there, and leaves nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import rehearse
from flows.destroy import DestroyParameters, destroy
from flows.migrate import MigrateParameters, MigrateReport, migrate
from flows.sample_data import load
from haven.errors import Conflict, Failed
from haven.stack import names
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

SCHEMA = Path(__file__).parents[3] / "schema"
HOT = """-- haven: accepts index-blocks-writes: a test
CREATE INDEX patients_by_year ON haven_health.patients (created_at);
"""


@pytest.fixture(scope="module")
def stack(place: Callable[..., Place], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The health passport with a few patients, and a file that is pending."""
    folder = tmp_path_factory.mktemp("rehearsal")
    for path in SCHEMA.glob("*.sql"):
        shutil.copy(path, folder)
    made = place("rehearsal", schema_dir=folder)
    made.provision()
    migrate(made.run(), MigrateParameters())
    load(made.run(), patients=50, seed=1)
    (folder / "07_hot.sql").write_text(HOT, encoding="utf-8")
    return made


def rehearsed(place: Place) -> MigrateReport:
    return migrate(place.run(), MigrateParameters(rehearse=True))


def scratch(place: Place) -> list[str]:
    """Return the state of the instance that rehearsals are held on, where there is one."""
    found = place.client("rds").describe_db_instances()["DBInstances"]
    name = names.rehearsal(place.stack)
    return [item["DBInstanceStatus"] for item in found if item["DBInstanceIdentifier"] == name]


def evidence(place: Place, report: MigrateReport) -> dict[str, Any]:
    bucket = names.bucket(place.stack, "evidence")
    body = place.client("s3").get_object(Bucket=bucket, Key=report.evidence)["Body"]
    return dict(json.loads(body.read()))


def test_it_is_told_in_the_report_and_the_evidence_and_the_instance_is_gone(stack: Place) -> None:
    report = rehearsed(stack)
    (step,) = report.steps
    assert step.changes[0].startswith("07_hot.sql:2 CREATE INDEX patients_by_year")
    assert "SHARE on haven_health.patients for" in step.changes[0]
    assert "of WAL" in step.changes[0]
    assert (report.applied, report.pending, report.already) == ([], ["07_hot.sql"], 6)
    assert report.aws_writes == 2
    record = evidence(stack, report)
    rows = {table["relation"]: table["rows"] for table in record["facts"]["rehearsal"]["tables"]}
    assert rows["haven_health.patients"] == 50
    assert record["figures"]["statements rehearsed"] == 1
    assert scratch(stack) == []


def test_the_instance_is_closed_up_as_the_stack_is(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    def look(*_: object) -> list[str]:
        described = stack.client("rds").describe_db_instances(
            DBInstanceIdentifier=names.rehearsal(stack.stack)
        )
        seen.extend(described["DBInstances"])
        return []

    monkeypatch.setattr(rehearse, "make_roles", look, raising=False)
    monkeypatch.setattr("tasks.rehearsal.read_roles", look)
    rehearsed(stack)
    primary = stack.client("rds").describe_db_instances(DBInstanceIdentifier=stack.primary)
    (like,) = primary["DBInstances"]
    instance = seen[0]
    assert instance["StorageEncrypted"]
    assert not instance["PubliclyAccessible"]
    assert instance["BackupRetentionPeriod"] == 0
    for same in ("KmsKeyId", "EngineVersion", "CACertificateIdentifier"):
        assert instance[same] == like[same]
    groups = [group["VpcSecurityGroupId"] for group in instance["VpcSecurityGroups"]]
    assert groups == [group["VpcSecurityGroupId"] for group in like["VpcSecurityGroups"]]


def test_nothing_pending_makes_no_instance(stack: Place) -> None:
    path = Path(stack.settings.schema_dir) / "07_hot.sql"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    try:
        report = rehearsed(stack)
    finally:
        path.write_text(text, encoding="utf-8")
    assert (report.steps, report.aws_writes) == ([], 0)
    assert report.warnings == [rehearse.NOTHING]


def test_one_that_fails_leaves_no_instance(stack: Place) -> None:
    path = Path(stack.settings.schema_dir) / "08_wrong.sql"
    path.write_text("SELECT 1 / 0;\n", encoding="utf-8")
    try:
        with pytest.raises(Failed, match=r"In the rehearsal, 08_wrong\.sql:1"):
            rehearsed(stack)
    finally:
        path.unlink()
    assert scratch(stack) == []


def test_what_a_killed_one_left_is_removed_by_the_next(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(stack, monkeypatch)
    assert len(rehearsed(stack).steps) == 1
    assert scratch(stack) == []


def leave(stack: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rehearse, and leave the instance behind as a killed run would."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rehearse, "delete_instance", lambda *_: None)
        patched.setattr("tasks.rehearsal.copy_sample", killed)
        with pytest.raises(KeyboardInterrupt):
            rehearsed(stack)
    assert scratch(stack) == ["available"]


def test_an_instance_of_that_name_that_is_not_ours_is_left_alone(stack: Place) -> None:
    rds = stack.client("rds")
    name = names.rehearsal(stack.stack)
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="somebody",
        MasterUserPassword="Correct-Horse-1",  # nobody's
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=name, WaiterConfig={"Delay": 1}
    )
    try:
        with pytest.raises(Conflict, match=name):
            rehearsed(stack)
        assert scratch(stack) == ["available"]
    finally:
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        rds.get_waiter("db_instance_deleted").wait(
            DBInstanceIdentifier=name, WaiterConfig={"Delay": 1}
        )


def test_destroy_removes_what_a_killed_one_left(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(stack, monkeypatch)
    destroy(stack.run(), DestroyParameters(confirm=stack.stack.prefix))
    assert scratch(stack) == []
