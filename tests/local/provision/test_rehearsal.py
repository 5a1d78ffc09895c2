"""What a rehearsal tells of the whole schema, and which instances it removes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from flows import rehearse, scratch_instance
from flows.destroy import DestroyParameters, destroy
from flows.frame import open_run
from flows.migrate import MigrateParameters, MigrateReport, migrate
from flows.observation import observe_stack
from flows.provision import ProvisionParameters, provision
from flows.sample_data import load
from haven.errors import Conflict
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.rehearsal import ROLE, scratch
from haven.stack.resource import Found
from localcloud import process
from tasks.instances import delete_instance
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

SCHEMA = Path(__file__).parents[3] / "schema"
OURS = len(list(SCHEMA.glob("[0-9]*.sql")))
HOT = f"{OURS + 1:02}_hot.sql"
INDEX = """-- haven: accepts index-blocks-writes: to be seen in a rehearsal
CREATE INDEX health_records_hot ON haven_health.health_records (created_at);
SELECT pg_sleep(0.3);
"""
COPYING = "copying rows to the clone"


def run(
    place: Place, progress: Callable[[str], None] = lambda _: None, **parameters: object
) -> MigrateReport:
    return migrate(open_run(place.settings, progress), MigrateParameters.model_validate(parameters))


@pytest.fixture(scope="module")
def stack(place: Callable[..., Place], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The health passport's database with some rows, and one more file that is pending."""
    folder = tmp_path_factory.mktemp("rehearsed")
    for path in SCHEMA.glob("*.sql"):
        shutil.copy(path, folder)
    made = place("rehearsed", schema_dir=folder)
    made.provision()
    run(made)
    load(made.run(), patients=50, seed=1)
    (folder / HOT).write_text(INDEX, encoding="utf-8")
    return made


def instance(place: Place, name: str = "") -> dict[str, Any] | None:
    """Describe the instance of rehearsals; none where there is none."""
    rds = place.client("rds")
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=name or names.rehearsal(place.stack))
    except rds.exceptions.DBInstanceNotFoundFault:
        return None
    return dict(found["DBInstances"][0])


def leave_behind(place: Place, tags: dict[str, str]) -> None:
    """Begin to make an instance of that name, as a run that was killed has."""
    primary = instance(place, place.primary)
    assert primary is not None
    place.client("rds").create_db_instance(
        DBInstanceIdentifier=names.rehearsal(place.stack),
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        EngineVersion=primary["EngineVersion"],
        AllocatedStorage=20,
        StorageType="gp3",
        MasterUsername="somebody",
        MasterUserPassword="Correct-Horse-1",  # nobody ever logs in
        DBSubnetGroupName=primary["DBSubnetGroup"]["DBSubnetGroupName"],
        BackupRetentionPeriod=0,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


def record(place: Place, key: str = "") -> dict[str, Any]:
    """Read a record of the evidence, the newest unless a key is given."""
    s3, bucket = place.client("s3"), names.bucket(place.stack, "evidence")
    if not key:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="evidence/")["Contents"]
        key = max(item["Key"] for item in listed)
    read: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return read


def test_it_tells_what_was_measured_and_leaves_nothing_and_no_password(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    said: list[str] = []
    passwords: list[str] = []
    make = scratch_instance.passing_password

    def password() -> str:
        passwords.append(make())
        return passwords[-1]

    def progress(text: str) -> None:
        said.append(text)
        if text == COPYING:
            seen.append(instance(stack) or {})

    for module in (rehearse, scratch_instance):
        monkeypatch.setattr(module, "passing_password", password)
    report = run(stack, progress, rehearse=True)
    assert_private(stack, seen[0])
    assert instance(stack) is None
    assert (report.applied, report.pending, report.already) == ([], [HOT], OURS)
    assert (report.dry_run, report.aws_writes) == (True, 2)
    assert_told(report)
    body = record(stack, report.evidence)
    assert_recorded(body)
    told = "\n".join([report.model_dump_json(), json.dumps(body), *said])
    assert len(passwords) > len(names.LOGIN_ROLES)
    assert not [text for text in passwords if text in told]
    assert run(stack, dry_run=True).pending == [HOT]


def assert_told(report: MigrateReport) -> None:
    (step,) = report.steps
    assert (step.verb, step.subject) == ("rehearse", HOT)
    assert step.changes[0].startswith(f"{HOT}:2 CREATE INDEX")
    assert "SHARE on haven_health.health_records for 0.3" in step.changes[0]
    assert "blocked 1 session" in step.changes[0]
    assert "of WAL" in step.changes[0]
    assert any("haven_health.health_records: " in text for text in report.warnings)
    assert [text for text in report.warnings if "from it to the database" in text] == []


def assert_recorded(body: dict[str, Any]) -> None:
    rehearsal = body["facts"]["rehearsal"]
    assert body["parameters"]["rehearse"] is True
    assert [item["file"] for item in rehearsal["statements"]] == [HOT, HOT]
    rows = {table["relation"]: table["rows"] for table in rehearsal["tables"]}
    assert rows["haven_health.patients"] == 50
    assert body["figures"]["statements rehearsed"] == 2
    assert body["figures"]["files applied"] == 0
    assert body["figures"]["rows copied"] == sum(rows.values())
    assert any(text.startswith(f"rehearse {HOT}:2") for text in body["changes"])


def test_nothing_pending_makes_no_instance(stack: Place, tmp_path: Path) -> None:
    for path in SCHEMA.glob("*.sql"):
        shutil.copy(path, tmp_path)
    done = replace(stack, settings=stack.settings.model_copy(update={"schema_dir": tmp_path}))
    report = run(done, rehearse=True)
    assert (report.steps, report.aws_writes) == ([], 0)
    assert report.warnings == [rehearse.NOTHING]


def assert_private(stack: Place, made: dict[str, Any]) -> None:
    """Nothing of the rows may get further than on the primary, nor stay."""
    primary = instance(stack, stack.primary)
    assert primary is not None
    for same in ("KmsKeyId", "VpcSecurityGroups", "CACertificateIdentifier", "MasterUsername"):
        assert made[same] == primary[same]
    groups = ("DBSubnetGroup", "DBSubnetGroupName"), ("DBParameterGroups", 0)
    for first, then in groups:
        assert made[first][then] == primary[first][then]
    assert (made["StorageEncrypted"], made["PubliclyAccessible"]) == (True, False)
    assert (made["BackupRetentionPeriod"], made["DeletionProtection"]) == (0, False)
    assert not made.get("EnabledCloudwatchLogsExports")
    tags = {item["Key"]: item["Value"] for item in made["TagList"]}
    assert names.tags(stack.stack, ROLE).items() <= tags.items()


def test_a_run_that_breaks_off_removes_its_instance(stack: Place) -> None:
    def stop(text: str) -> None:
        if text == COPYING:
            assert instance(stack) is not None
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stack, stop, rehearse=True)
    assert instance(stack) is None
    assert record(stack)["outcome"] == "KeyboardInterrupt"


def test_what_a_killed_rehearsal_left_is_no_part_of_the_stack_and_makes_way(stack: Place) -> None:
    leave_behind(stack, names.tags(stack.stack, ROLE))
    left = instance(stack)
    assert left is not None
    again = provision(stack.run(), ProvisionParameters())
    assert (again.steps, again.aws_writes) == ([], 0)
    assert again.aws_reads <= 60
    seen: list[str] = []

    def progress(text: str) -> None:
        if text == COPYING:
            seen.append((instance(stack) or {})["DbiResourceId"])

    run(stack, progress, rehearse=True)
    assert seen != [left["DbiResourceId"]]
    assert instance(stack) is None


@pytest.mark.parametrize(
    ("role", "why"),
    [("primary", "has the role 'primary' in its tags"), ("", "has no tag haven:stack")],
)
def test_an_instance_that_no_rehearsal_made_is_not_touched(
    stack: Place, role: str, why: str
) -> None:
    leave_behind(stack, names.tags(stack.stack, role) if role else {})
    with pytest.raises(Conflict, match=why):
        run(stack, rehearse=True)
    found = instance(stack)
    assert found is not None
    assert found["DBInstanceStatus"] != "deleting"
    remove(stack)


def test_one_that_is_being_made_is_removed_once_it_is(stack: Place) -> None:
    with (
        TemporaryDirectory() as directory,
        process.start(enterable(directory), latency={"instance": 1.0}) as slow,
    ):
        given = {"endpoint_url": slow.endpoint_url, "ca_bundle": slow.ca_bundle}
        run = open_run(stack.settings.model_copy(update=given))
        described = replace(scratch(stack.stack), status="creating")
        rds = run.site.client("rds", described)
        rds.create_db_instance(
            DBInstanceIdentifier=described.name,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=20,
            StorageType="gp3",
            MasterUsername="somebody",
            MasterUserPassword="Correct-Horse-1",  # nobody ever logs in
        )
        with pytest.raises(rds.exceptions.InvalidDBInstanceStateFault):
            rds.delete_db_instance(DBInstanceIdentifier=described.name, SkipFinalSnapshot=True)
        delete_instance(run.site, Found(described, ""))
        assert rds.describe_db_instances()["DBInstances"] == []


def enterable(directory: str) -> Path:
    """Let the user who runs the servers into a directory."""
    path = Path(directory)
    path.chmod(0o711)
    return path


def remove(stack: Place) -> None:
    """Remove the instance as a rehearsal does, whatever its tags."""
    described = scratch(stack.stack)
    found = observe_stack(stack.run(), [described])[described.address]
    assert isinstance(found.resource, Instance)
    delete_instance(stack.run().site, Found(found.resource, found.arn))


def test_destroy_removes_what_a_killed_one_left(stack: Place) -> None:
    leave_behind(stack, names.tags(stack.stack, ROLE))
    destroy(stack.run(), DestroyParameters(confirm=stack.stack.prefix))
    assert instance(stack) is None
