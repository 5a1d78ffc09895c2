"""Provision on the local cloud: made, proven, idempotent, repaired, guarded, removed."""

import dataclasses
import json
import re
import threading
import urllib.request

import psycopg
import pytest

from flows.destroy import DestroyParameters, destroy
from flows.provision import ProvisionParameters, provision
from flows.status import environment, status
from haven import evidence
from haven.aws import CURRENT_STEP
from haven.errors import Conflict, Refused
from haven.lease import Holder, held_lease
from haven.stack import names

pytestmark = pytest.mark.local


def test_a_second_provision_changes_nothing_and_asks_little(provisioned):
    report = provisioned.provision()
    assert report.steps == []
    assert report.database.changes == []
    assert report.aws_writes == 0
    assert report.aws_reads <= 60


def test_every_endpoint_was_logged_in_to_over_verified_tls(provisioned):
    report = provisioned.provision()
    roles = {(item.user, item.in_recovery) for item in report.endpoints}
    assert roles == {
        ("haven_migrator", False),
        ("haven_reader", True),
        ("haven_app_a", False),
        ("haven_app_b", False),
    }
    assert len(report.endpoints) == 5


def test_a_dry_run_changes_nothing_and_leaves_nothing(place):
    made = place("dry")
    report = made.provision(dry_run=True)
    assert len(report.steps) > 50
    assert (report.aws_writes, report.evidence) == (0, "")
    buckets = made.client("s3").list_buckets()["Buckets"]
    assert not [item for item in buckets if "-dry-" in item["Name"]]


def alter_instance(place):
    place.client("rds").modify_db_instance(
        DBInstanceIdentifier=place.primary, BackupRetentionPeriod=3, ApplyImmediately=True
    )
    waiter = place.client("rds").get_waiter("db_instance_available")
    waiter.wait(DBInstanceIdentifier=place.primary, WaiterConfig={"Delay": 1})


def alter_rules(place):
    ec2 = place.client("ec2")
    group = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"{place.stack.prefix}-database"]}]
    )["SecurityGroups"][0]["GroupId"]
    opened = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opened])


def alter_bucket(place):
    place.client("s3").delete_public_access_block(Bucket=names.bucket(place.stack, "backups"))


def alter_lifecycle(place):
    place.client("s3").delete_bucket_lifecycle(Bucket=names.bucket(place.stack, "backups"))


def alter_alarm(place):
    name = f"{place.primary}-cpu"
    client = place.client("cloudwatch")
    alarm = client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    keys = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    kept = {key: alarm[key] for key in (*keys, "EvaluationPeriods", "ComparisonOperator")}
    client.put_metric_alarm(**kept, Threshold=99.0)


def alter_alarm_actions(place):
    place.client("cloudwatch").disable_alarm_actions(AlarmNames=[f"{place.primary}-storage"])


def alter_role(place):
    place.client("iam").delete_role_policy(
        RoleName=f"{place.stack.prefix}-proxy", PolicyName="haven"
    )


def alter_powers(place):
    place.client("iam").put_role_policy(
        RoleName=f"{place.stack.prefix}-proxy",
        PolicyName="everything",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            }
        ),
    )


def alter_log_group(place):
    place.client("logs").put_retention_policy(
        logGroupName=f"/aws/rds/instance/{place.primary}/postgresql", retentionInDays=7
    )


def alter_parameter(place):
    place.client("rds").modify_db_parameter_group(
        DBParameterGroupName=f"{place.stack.prefix}-primary-postgres15",
        Parameters=[
            {
                "ParameterName": "log_min_duration_statement",
                "ParameterValue": "5",
                "ApplyMethod": "immediate",
            }
        ],
    )


def alter_rotation(place):
    kms = place.client("kms")
    kms.disable_key_rotation(
        KeyId=kms.describe_key(KeyId=f"alias/{place.stack.prefix}")["KeyMetadata"]["KeyId"]
    )


def alter_versioning(place):
    # moto keeps no replication on a bucket that never had any.
    place.client("s3", "us-west-2").put_bucket_versioning(
        Bucket=names.bucket(place.stack, "backups-dr"),
        VersioningConfiguration={"Status": "Suspended"},
    )


def alter_key(place):
    kms = place.client("kms")
    identifier = kms.describe_key(KeyId=f"alias/{place.stack.prefix}")["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=identifier, PendingWindowInDays=7)


def alter_proxy(place):
    place.client("rds").modify_db_proxy_target_group(
        DBProxyName=f"{place.stack.prefix}-proxy",
        TargetGroupName="default",
        ConnectionPoolConfig={"MaxConnectionsPercent": 70, "MaxIdleConnectionsPercent": 20},
    )


def alter_tags(place):
    topic = f"arn:aws:sns:us-east-1:123456789012:{place.stack.prefix}-alerts"
    place.client("sns").untag_resource(ResourceArn=topic, TagKeys=[names.TAG_MANAGED_BY])


def alter_exports(place):
    place.client("rds").modify_db_instance(
        DBInstanceIdentifier=place.primary,
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["upgrade"]},
    )


DRIFT = [
    (alter_exports, 'log_exports: wanted ["postgresql"]'),
    (alter_instance, "backup_retention_days: wanted 35, found 3"),
    (alter_rules, "ingress tcp 22 0.0.0.0/0"),
    (alter_bucket, "private: wanted true, found false"),
    (alter_lifecycle, "lifecycle: wanted"),
    (alter_alarm, "threshold: wanted 80.0, found 99.0"),
    (alter_alarm_actions, "actions_enabled: wanted true, found false"),
    (alter_role, "policy: wanted"),
    (alter_powers, 'strange: wanted [], found ["everything"]'),
    (alter_log_group, "retention_days: wanted 365, found 7"),
    (alter_parameter, "parameters: wanted"),
    (alter_rotation, "rotation_days: wanted 365, found 0"),
    (alter_versioning, "versioned: wanted true, found false"),
    (alter_key, "enabled: wanted true, found false"),
    (alter_proxy, "max_connections_percent: wanted 100, found 70"),
    (alter_tags, "tags: wanted"),
]


@pytest.fixture(scope="module")
def repaired(provisioned):
    """Every row's attribute altered, all repaired by one run; what that run changed."""
    for alter, _ in DRIFT:
        alter(provisioned)
    report = provisioned.provision()
    assert provisioned.provision().steps == []
    return [change for step in report.steps for change in step.changes]


@pytest.mark.parametrize(
    "words",
    [row[1] for row in DRIFT],
    ids=[row[0].__name__.removeprefix("alter_") for row in DRIFT],
)
def test_drift_is_reported_by_attribute_and_repaired(repaired, words):
    (change,) = (change for change in repaired if re.search(rf"\b{re.escape(words)}", change))
    assert "changing it costs" in change


def test_a_key_whose_alias_is_gone_is_named_again(provisioned):
    provisioned.client("kms").delete_alias(AliasName=f"alias/{provisioned.stack.prefix}")
    (step,) = provisioned.provision().steps
    assert step.changes == ["has_alias: wanted true, found false; changing it costs nothing"]
    assert provisioned.provision().steps == []


def test_a_password_that_no_longer_works_is_given_again(provisioned):
    run = provisioned.run()
    values = environment(run)
    with psycopg.connect(
        host=values["PGHOST"],
        dbname=values["PGDATABASE"],
        user=values["PGUSER"],
        password=secret(provisioned, "master"),
        sslmode="verify-full",
        sslrootcert=values["PGSSLROOTCERT"],
        autocommit=True,
    ) as master:
        master.execute("ALTER ROLE haven_reader PASSWORD NULL")
    report = provisioned.provision()
    assert any("haven_reader" in change for change in report.database.changes)
    assert provisioned.provision().database.changes == []


def test_a_master_password_changed_elsewhere_is_set_again(provisioned):
    rds = provisioned.client("rds")
    changed = {"MasterUserPassword": "changed-by-somebody", "ApplyImmediately": True}
    rds.modify_db_instance(DBInstanceIdentifier=provisioned.primary, **changed)
    waiter = rds.get_waiter("db_instance_available")
    waiter.wait(DBInstanceIdentifier=provisioned.primary, WaiterConfig={"Delay": 1})
    report = provisioned.provision()
    assert any("haven_admin" in change for change in report.database.changes)
    assert provisioned.provision().database.changes == []


def secret(place, login):
    client = place.client("secretsmanager")
    content = client.get_secret_value(SecretId=names.secret(place.stack, login))["SecretString"]
    return json.loads(content)["password"]


def test_what_is_ours_by_name_but_not_by_tag_is_a_conflict(place):
    made = place("foreign")
    made.client("sns").create_topic(Name=f"{made.stack.prefix}-alerts")
    with pytest.raises(Conflict, match=r"has no tag haven:stack") as caught:
        made.provision()
    assert f"topic/us-east-1/{made.stack.prefix}-alerts" in str(caught.value)
    aliases = made.client("kms").list_aliases()["Aliases"]
    assert f"alias/{made.stack.prefix}" not in [item["AliasName"] for item in aliases]


def test_a_first_run_that_fails_asks_once_for_the_place_of_its_evidence(place):
    made = place("failing")
    made.client("sns").create_topic(Name=f"{made.stack.prefix}-alerts")
    calls = f"{made.settings.endpoint_url}/localcloud/calls"
    before = len(lists_of_objects(calls))
    with pytest.raises(Conflict):
        made.provision()
    # The other one looks for the bucket of the state.
    assert len(lists_of_objects(calls)) - before == 2


def lists_of_objects(url):
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # loopback
        return [call for call in json.load(answer)["calls"] if call["operation"] == "ListObjectsV2"]


def test_a_replacement_of_what_holds_data_is_refused(provisioned):
    path = provisioned.path.with_name("replaced.toml")
    text = provisioned.path.read_text(encoding="utf-8")
    path.write_text(text.replace("[database]", '[database]\nname = "other_db"'), encoding="utf-8")
    other = dataclasses.replace(
        provisioned, settings=provisioned.settings.model_copy(update={"stack": str(path)})
    )
    with pytest.raises(Refused, match="would have to be replaced") as caught:
        other.provision()
    assert "database: wanted other_db, found haven_health_db" in str(caught.value)


def test_an_empty_bucket_of_our_name_without_our_tag_is_somebody_elses(place):
    made = place("bucket")
    bucket = names.bucket(made.stack, "backups")
    made.client("s3").create_bucket(Bucket=bucket)
    with pytest.raises(Conflict, match=rf"{bucket} .*has no tag haven:stack"):
        made.provision()


def test_an_outage_is_refused_until_it_is_accepted(provisioned):
    path = provisioned.path.with_name("larger.toml")
    text = provisioned.path.read_text(encoding="utf-8")
    path.write_text(text.replace("db.t4g.medium", "db.t4g.large"), encoding="utf-8")
    other = dataclasses.replace(
        provisioned, settings=provisioned.settings.model_copy(update={"stack": str(path)})
    )
    with pytest.raises(Refused, match="accept=outage"):
        other.provision()
    assert other.provision(dry_run=True).steps


def test_another_account_is_refused(place):
    made = place("account")
    text = made.path.read_text(encoding="utf-8")
    made.path.write_text(text.replace("123456789012", "210987654321"), encoding="utf-8")
    with pytest.raises(Refused, match="account 123456789012"):
        made.provision()


def test_of_two_at_once_one_works_and_the_other_says_who_holds_the_lock(place):
    made = place("twice")
    start = threading.Barrier(2)
    outcomes: list[object] = []

    def once():
        run = made.run()
        start.wait()
        try:
            outcomes.append(provision(run, ProvisionParameters()))
        except Conflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (refused,) = [item for item in outcomes if isinstance(item, Conflict)]
    assert "runs provision since" in str(refused)
    assert made.provision().steps == []
    keys = made.client("kms").list_aliases()["Aliases"]
    assert [item["AliasName"] for item in keys].count(f"alias/{made.stack.prefix}") == 1


def test_evidence_is_an_unbroken_chain(provisioned):
    provisioned.provision()
    s3, bucket = provisioned.client("s3"), names.bucket(provisioned.stack, "evidence")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in sorted(keys)]
    assert len(bodies) >= 2
    assert evidence.broken_links(bodies) == []
    passwords = [secret(provisioned, login) for login in ("master", *names.LOGIN_ROLES)]
    assert not [word for word in passwords for body in bodies if word.encode() in body]


def test_status_sees_everything_and_a_held_lock(provisioned):
    report = status(provisioned.run())
    assert report.existing == report.wanted
    assert report.lock == "the lock is free"
    s3, bucket = provisioned.client("s3"), names.bucket(provisioned.stack, "state")
    with held_lease(s3, bucket, Holder("somebody", "rotate", "today", 60, 0)):
        assert "somebody for rotate since today" in status(provisioned.run()).lock
        with pytest.raises(Conflict, match="somebody"):
            provisioned.provision()


def test_a_stack_that_is_kept_is_never_destroyed(place):
    made = place("kept", disposable=False)
    with pytest.raises(Refused, match="not marked disposable"):
        destroy(made.run(), DestroyParameters(confirm=made.stack.prefix))


def test_destroying_needs_the_name_typed(place):
    made = place("typed")
    with pytest.raises(Refused, match=f"confirm={made.stack.prefix}"):
        destroy(made.run(), DestroyParameters(confirm="yes"))


def test_destroy_leaves_nothing_of_the_stack(place):
    made = place("gone", zones="[]")
    made.provision()
    report = destroy(made.run(), DestroyParameters(confirm=made.stack.prefix))
    assert len(report.steps) > 50
    assert status(made.run()).existing == 0
    assert made.provision().endpoints


def test_every_call_is_booked_on_its_step(place):
    made = place("booked", zones="[]")
    run = made.run()
    provision(run, ProvisionParameters())
    steps = {call.step for call in run.journal.calls if call.mutating}
    assert f"key/us-east-1/{made.stack.prefix}" in steps
    assert CURRENT_STEP.get() == ""
