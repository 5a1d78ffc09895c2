"""Stack files: what is refused, with which words; and that ours are well-formed."""

from pathlib import Path

import pytest

from haven.errors import InvalidRequest
from haven.stack.files import load_stack
from haven.stack.windows import check_windows

STACKS = Path(__file__).resolve().parents[3] / "deployments" / "stacks"
HEAD = 'environment = "test"\naccount = "123456789012"\n'

BAD = [
    ("", "environment: Field required"),
    ('environment = "test"\n', "account: Field required"),
    ('environment = "Test"\naccount = "123456789012"\n', "environment"),
    ('environment = "te st"\naccount = "123456789012"\n', "environment"),
    ('environment = "test"\naccount = "12345"\n', "account"),
    (HEAD + 'regoin = "us-east-1"\n', "regoin: Extra inputs are not permitted"),
    (HEAD + 'region = "useast"\n', "region"),
    (HEAD + 'region = "us-west-2"\n[replicas]\nzones = []\n', "recovery_region must differ"),
    (HEAD + 'project = "a-very-long-project-name-for-any-team"\n', "at most 36"),
    (HEAD + "disposable = true\n", "database.deletion_protection must be false"),
    (HEAD + 'network = "default"\n', "network"),
    (HEAD + '[network]\nvpc = "my-vpc"\n', "network.vpc"),
    (HEAD + '[network]\nsubnets = ["subnet-XYZ"]\n', "network.subnets.0"),
    (HEAD + '[database]\nname = "haven-db"\n', "database.name"),
    (HEAD + '[database]\nname = "x; drop table"\n', "database.name"),
    (HEAD + '[database]\nmaster_username = "a_name_that_is_too_long"\n', "master_username"),
    (HEAD + '[database]\nname = "rdsadmin"\n', "name 'rdsadmin' is kept by RDS"),
    (HEAD + '[database]\nname = "template1"\n', "name 'template1' is kept by RDS"),
    (HEAD + '[database]\nmaster_username = "rdsadmin"\n', "'rdsadmin' is kept by RDS"),
    (HEAD + '[database]\nmaster_username = "pg_master"\n', "'pg_master' is kept by RDS"),
    (HEAD + '[database]\nmaster_username = "user"\n', "'user' is kept by RDS"),
    (HEAD + '[database]\nmaster_username = "haven_owner"\n', "'haven_owner' is a role of Haven's"),
    (HEAD + '[database]\nmaster_username = "haven_app_a"\n', "'haven_app_a' is a role of Haven's"),
    (HEAD + "[database]\nport = 80\n", "database.port"),
    (HEAD + '[database]\nengine_version = "9.6"\n', "database.engine_version"),
    (HEAD + '[database]\ninstance_class = "r6g.large"\n', "database.instance_class"),
    (HEAD + "[database]\nmonitoring_interval = 7\n", "database.monitoring_interval"),
    (HEAD + "[database]\nperformance_insights_days = 94\n", "performance_insights_days"),
    (HEAD + "[database]\nmax_connections = 500\n", "can never be reached"),
    (HEAD + '[database.parameters]\n"WORK MEM" = "1"\n', "database.parameters"),
    (HEAD + "[storage]\nallocated_gib = 5\n", "storage.allocated_gib"),
    (HEAD + "[storage]\nmax_allocated_gib = 510\n", "at least 10 % above"),
    (HEAD + "[storage]\nallocated_gib = 100\n", "cannot be set on a gp3 volume below 400"),
    (HEAD + '[storage]\ntype = "magnetic"\n', "storage.type"),
    (HEAD + '[replicas]\nzones = ["us-east-1b", "us-east-1b"]\n', "must differ from each other"),
    (HEAD + '[replicas]\nzones = ["us-west-2a"]\n', "are not in us-east-1"),
    (HEAD + "[proxy]\nmax_connections_percent = 20\n", "is above"),
    (HEAD + "[proxy]\nborrow_timeout_seconds = 0\n", "proxy.borrow_timeout_seconds"),
    (HEAD + "[backups]\nretention_days = 36\n", "backups.retention_days"),
    (HEAD + "[backups]\nretention_days = 0\n", "backups.retention_days"),
    (HEAD + '[backups]\nwindow = "3-4"\n', "must look like 03:00-04:00"),
    (HEAD + '[backups]\nwindow = "04:30-05:30"\n', "overlaps maintenance_window"),
    (HEAD + '[backups]\nwindow = "03:00-03:10"\n', "at least 30 minutes"),
    (HEAD + '[backups]\nmaintenance_window = "someday"\n', "must look like sun:04:00"),
    (HEAD + "[backups]\nglacier_after_days = 100\n", "must rise"),
    (HEAD + '[backups]\nevidence_lock_mode = "SOFT"\n', "backups.evidence_lock_mode"),
    (HEAD + '[alarms]\nemail = "devops"\n', "alarms.email"),
    (HEAD + "[alarms]\ncpu_percent = 120\n", "alarms.cpu_percent"),
    (HEAD + "[alarms]\nfree_storage_gib = 500\n", "would always alarm"),
    (HEAD + "[secrets]\nrotation_days = 0\n", "secrets.rotation_days"),
    (HEAD + "[heartbeat]\ninterval_seconds = 0\n", "heartbeat.interval_seconds"),
    (HEAD + "[heartbeat]\nlimit_seconds = 9\n", "at least twice interval_seconds 5"),
    (
        HEAD + "[secrets]\nrotation_days = 1\ncache_seconds = 43200\n",
        "rotation_days 1 must be longer than two cache times",
    ),
    (
        HEAD + "[secrets]\nrotation_days = 7\ngrace_seconds = 604800\n",
        "rotation_days 7 must be longer than grace_seconds",
    ),
    ("environment = ", "it is not TOML"),
    (f"project = {'9' * 5000}", "it is not TOML that anybody would write"),
    (f"project = {'[' * 5000}", "it is not TOML that anybody would write"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_a_bad_stack_file_is_refused_in_one_paragraph_that_names_the_entry(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest) as caught:
        load_stack(str(path), tmp_path)
    message = str(caught.value)
    assert words in message
    assert "Nothing was touched" in message
    assert "\n" not in message.replace(text, "") or "TOML" in message


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(b"environment = '\xff'")
    with pytest.raises(InvalidRequest, match="not UTF-8 at byte 15"):
        load_stack(str(path), tmp_path)


def test_an_unknown_stack_is_refused_with_the_known_ones():
    with pytest.raises(InvalidRequest, match="Known stacks: local, production"):
        load_stack("prodction", STACKS)


@pytest.mark.parametrize("path", sorted(STACKS.glob("*.toml")), ids=lambda path: path.stem)
def test_our_stack_files_are_well_formed(path):
    assert load_stack(path.stem, STACKS).stack.environment == path.stem


@pytest.mark.parametrize(
    ("backup", "maintenance", "fine"),
    [
        ("03:00-04:00", "sun:04:00-sun:05:00", True),
        ("05:00-06:00", "sun:04:00-sun:05:00", True),
        ("04:59-05:59", "sun:04:00-sun:05:00", False),
        ("23:30-00:30", "mon:00:00-mon:01:00", False),
        ("23:30-00:30", "mon:00:30-mon:01:30", True),
        ("03:00-04:00", "sat:23:00-sun:03:30", False),
        ("10:00-11:00", "sun:23:00-mon:01:00", True),
    ],
)
def test_windows_may_touch_but_not_overlap(backup, maintenance, fine):
    if fine:
        check_windows(backup, maintenance)
    else:
        with pytest.raises(ValueError, match="overlaps"):
            check_windows(backup, maintenance)
