"""A copy against the manifest of its source: equal where it stood still, explained where it did not."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from haven.pg import open_connection, session
from haven.verification.content import total_of
from haven.verification.fingerprint import STRONG_FORM
from haven.verification.manifest import folder, moment
from tasks.verifications import manifest_before

pytestmark = pytest.mark.local


def test_a_copy_of_a_source_that_stood_still_is_proven_whole(ground, taken, copies):
    copy, until = copies()
    total = total_of(ground.prove(taken, copy, until))
    assert total.equal == taken.manifest.rows > 1_000
    assert (total.explained, total.unexplained) == (0, [])
    assert ground.failures(taken, copy, until) == {}


def test_the_stronger_form_proves_a_copy_and_finds_what_is_only_equal(ground, copies):
    taken = ground.manifest(form=STRONG_FORM)
    assert taken.manifest.form == STRONG_FORM
    copy, until = copies()
    total = total_of(ground.prove(taken, copy, until))
    assert (total.equal, total.unexplained) == (taken.manifest.rows, [])
    with ground.superuser(copy) as connection:
        connection.execute(
            "UPDATE haven_health.keyless SET n = (n::text || '0')::numeric WHERE t = 'row 3'"
        )
    assert ground.failures(taken, copy, until).keys() == {"content"}


def test_what_was_written_since_is_explained(ground, copies):
    taken = ground.manifest()
    with ground.superuser("haven_health_db") as connection:
        connection.execute("UPDATE haven_health.numbered SET t = 'new' WHERE id <= 20")
        connection.execute(
            "INSERT INTO haven_health.numbered (t) SELECT 'more' FROM generate_series(1, 30)"
        )
    copy, until = copies()
    total = total_of(ground.prove(taken, copy, until))
    assert (total.written_since, total.unexplained) == (50, [])
    assert total.equal == taken.manifest.rows - 20


def test_transactions_at_work_during_the_snapshot_are_no_failure(ground, copies):
    """Also those of savepoints, which no snapshot lists."""
    login = ground.source.login("haven_migrator")
    with contextlib.closing(open_connection(login, autocommit=False)) as connection:
        connection.execute("SET ROLE haven_owner; SELECT pg_current_xact_id()")
        connection.execute("SAVEPOINT a; UPDATE haven_health.numbered SET t = 'x' WHERE id = 401")
        connection.execute("SAVEPOINT b; UPDATE haven_health.keyless SET n = 1 WHERE t = 'row 9'")
        with session(login) as other:
            other.execute(
                "SET ROLE haven_owner; INSERT INTO haven_health.numbered (t) VALUES ('y')"
            )
        taken = ground.manifest()
        connection.commit()
    copy, until = copies()
    total = total_of(ground.prove(taken, copy, until))
    assert total.unexplained == []
    assert total.written_since >= 2


def test_rows_that_may_go_by_rule_are_no_failure_and_others_are(ground, copies):
    with ground.superuser("haven_health_db") as connection:
        connection.execute(
            "SET session_replication_role = replica; UPDATE haven_health.sync_queue SET "
            "status = 'completed', completed_at = now() - interval '40 days', conflict_detected = "
            "false, conflict_resolution = NULL, conflict_data = NULL WHERE id IN "
            "(SELECT id FROM haven_health.sync_queue LIMIT 3)"
        )
    taken = ground.manifest()
    copy, until = copies()
    with ground.superuser(copy) as connection:
        connection.execute(
            "SET session_replication_role = replica; DELETE FROM haven_health.sync_queue "
            "WHERE completed_at < now() - interval '39 days'"
        )
        total = total_of(ground.prove(taken, copy, until))
        assert (total.gone_by_rule, total.unexplained) == (3, [])
        connection.execute(
            "DELETE FROM haven_health.sync_queue WHERE id IN "
            "(SELECT id FROM haven_health.sync_queue WHERE completed_at IS NULL LIMIT 1)"
        )
        assert len(total_of(ground.prove(taken, copy, until)).unexplained) == 1


def test_closed_partitions_are_taken_over_only_while_they_are(ground):
    first = ground.manifest()
    second = ground.manifest(first.manifest)
    old = {one.relation: one for one in first.manifest.held if one.family != one.relation}
    again = {one.relation: one for one in second.manifest.held if one.family != one.relation}
    assert again == old
    assert [one for one in old.values() if one.count]
    partition = next(name for name, one in old.items() if one.count)
    with ground.superuser("haven_health_db") as connection:
        place = sql.Identifier(*partition.split("."))
        connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE one AS SELECT * FROM {0} LIMIT 1; UPDATE one SET id = "
                "gen_random_uuid(); INSERT INTO {0} SELECT * FROM one"
            ).format(place)
        )
    third = {one.relation: one for one in ground.manifest(second.manifest).manifest.held}
    assert third[partition].rows != old[partition].rows
    assert {name for name, one in again.items() if third[name] != one} == {partition}


def test_a_manifest_is_found_by_the_moment_before_which_it_was_taken(ground, taken):
    at = taken.manifest.taken_at
    assert moment(taken.stored.key) == at
    cut_off = folder(at + timedelta(microseconds=1), "0123abcd")
    ground.site.cloud.client("s3", "us-east-1").put_object(
        Bucket="haven-tests-verified-evidence-123456789012", Key=f"{cut_off}a.rows", Body=b"x"
    )
    assert manifest_before(ground.site, at + timedelta(microseconds=1)) == taken
    assert manifest_before(ground.site, datetime(2020, 1, 1, tzinfo=UTC)) is None


def test_rows_of_a_manifest_that_were_changed_prove_nothing(ground, copies):
    taken = ground.manifest()
    copy, until = copies()
    held = next(one for one in taken.manifest.held if one.relation == "haven_health.numbered")
    s3 = ground.site.cloud.client("s3", "us-east-1")
    s3.put_object(
        Bucket="haven-tests-verified-evidence-123456789012",
        Key=held.rows.key,
        Body=bytes(held.rows.size),
    )
    with session(ground.source.login("haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
    with ground.superuser(copy) as connection:
        connection.execute("DELETE FROM haven_health.numbered WHERE id = 7")
    wrong = [text for one in ground.prove(taken, copy, until) for text in one.wrong]
    assert wrong == [
        "haven_health.numbered the rows of its manifest are not what they were when it was taken"
    ]
