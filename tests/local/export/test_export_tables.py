"""What is refused, what is resumed, and what is in the way of a table."""

import dataclasses

import pytest

from haven.errors import Conflict, Failed, HavenError
from haven.export.manifest import body_of
from haven.export.policy import everything
from haven.export.tables import sort_out
from haven.pg import session
from tasks.export_load import load_table
from tasks.export_objects import check_objects
from tasks.export_store import read_records, sizes
from tasks.export_tables import read_tables
from tests.local.export.conftest import export, load

pytestmark = pytest.mark.local

TABLES = """
CREATE TABLE first (id integer PRIMARY KEY, t text);
INSERT INTO first SELECT n, 'row ' || n FROM generate_series(1, 2000) AS n;
CREATE TABLE second (id integer, f float8);
INSERT INTO second SELECT n, n / 7.0 FROM generate_series(1, 500) AS n;
CREATE TABLE third (id integer);
ANALYZE;
"""
NAMES = ["public.first", "public.second", "public.third"]


@pytest.fixture
def source(databases):
    with databases() as login:
        with session(login) as connection:
            connection.execute(TABLES)
        yield login


def change(login, statement):
    with session(login) as connection:
        connection.execute(statement)


def stop_after(count):
    """Return what lets a run go on for so many batches."""
    left = [count]

    def alive():
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return alive


def test_a_table_without_columns_is_refused_and_one_that_is_lost_on_restore_is_left(source):
    change(source, "CREATE TABLE bare (); CREATE UNLOGGED TABLE passing (id integer)")
    tables, _ = read_tables(source)
    found = sort_out(tables)
    assert list(found.refused) == ["public.bare"]
    assert list(found.left) == ["public.passing"]
    assert [one.identity for one in found.tables] == NAMES


def test_a_moment_beyond_parquet_is_refused_by_name_until_it_is_kept_as_text(
    source, store, databases
):
    change(
        source,
        "CREATE TABLE late (at timestamptz); INSERT INTO late VALUES ('infinity'), "
        "('294247-01-10 04:00:54.775807+00'), ('294276-12-31 23:59:59.999999+00')",
    )
    with pytest.raises(Failed, match=r"public\.late\.at holds a moment after the year 294246"):
        export(store, source)
    found = export(store, source, as_text=("public.late.at",))
    assert "public.first" in found.kept
    with databases() as login:
        assert all(one.equal for one in load(store, login, found.tables))


def test_what_a_killed_run_finished_is_kept_and_the_rest_is_one_snapshot(source, store):
    with pytest.raises(KeyboardInterrupt):
        export(store, source, workers=1, alive=stop_after(1))
    (begun,) = read_records(store).values()
    # As a kill leaves it: whole objects without a record, and an upload that nobody completes.
    target = store.target
    stray = f"{store.place}data/public.second/00001.parquet"
    target.s3.put_object(Bucket=target.bucket, Key=stray, Body=b"stray")
    target.s3.create_multipart_upload(Bucket=target.bucket, Key=f"{store.place}data/public.third/1")
    change(source, "INSERT INTO second VALUES (0, 0)")
    found = export(store, source)
    assert found.kept == (begun.identity,) == ("public.first",)
    assert [one.identity for one in found.tables] == NAMES
    assert {one.snapshot for one in found.tables} == {found.snapshot.text}
    kept = next(one for one in found.tables if one.identity == begun.identity)
    assert kept.objects == begun.objects
    assert check_objects(target, found.tables) == {}
    assert set(sizes(store, f"{store.place}data/")) == {
        one.key for table in found.tables for one in table.objects
    }
    assert not target.s3.list_multipart_uploads(Bucket=target.bucket).get("Uploads")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE first SET t = 'other' WHERE id = 1000",
        "DELETE FROM first WHERE id = 7",
        "ALTER TABLE first ADD COLUMN more integer",
        "ALTER TABLE first ALTER COLUMN id TYPE bigint",
    ],
)
def test_a_finished_table_that_was_changed_is_exported_again(source, store, statement):
    export(store, source)
    change(source, statement)
    found = export(store, source)
    assert found.kept == ("public.second", "public.third")


def test_resumed_after_every_batch_it_ends_as_if_it_had_never_been_stopped(source, store):
    wanted = export(store, source, piece=20_000)
    other = dataclasses.replace(store, place=store.place.replace("full", "resumed"))
    for count in range(20):
        try:
            found = export(other, source, piece=20_000, workers=1, alive=stop_after(count))
            break
        except KeyboardInterrupt:
            continue
    else:
        pytest.fail("it never ended")
    assert count
    for one, resumed in zip(wanted.tables, found.tables, strict=True):
        text = body_of(resumed).decode().replace("/resumed/", "/full/")
        assert text == body_of(one.model_copy(update={"snapshot": resumed.snapshot})).decode()
    assert len(wanted.tables[0].objects) > 1


def test_rows_that_policies_hide_are_no_empty_table(source, store):
    change(source, "CREATE ROLE nobody_here LOGIN PASSWORD 'only-for-tests-nobody'")
    change(
        source,
        "ALTER TABLE first ENABLE ROW LEVEL SECURITY; GRANT SELECT ON ALL TABLES IN SCHEMA public "
        "TO nobody_here",
    )
    login = dataclasses.replace(source, user="nobody_here", password="only-for-tests-nobody")  # noqa: S106
    try:
        with pytest.raises(Failed, match=r"nobody_here sees no row of public\.first"):
            export(store, login)
    finally:
        change(
            source,
            "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM nobody_here; DROP ROLE nobody_here",
        )
    assert "public.first" not in read_records(store)


def test_an_object_that_is_not_what_was_written_is_found_and_never_loaded(source, store, databases):
    found = export(store, source)
    stored = found.tables[0].objects[0]
    target = store.target
    body = target.s3.get_object(Bucket=target.bucket, Key=stored.key)["Body"].read()
    changed = bytearray(body)
    changed[100] ^= 1
    target.s3.put_object(Bucket=target.bucket, Key=stored.key, Body=bytes(changed))
    assert list(check_objects(target, found.tables)) == ["public.first"]
    with databases() as login, pytest.raises(Failed, match="not what its manifest says"):
        load_table(target, login, found.tables[0])


def test_a_table_that_is_there_is_not_written_to(source, store):
    found = export(store, source)
    with pytest.raises(Conflict, match=r"has a table public\.first already"):
        load_table(store.target, source, found.tables[0])


def test_as_text_names_columns_that_exist(source):
    tables, _ = read_tables(source)
    with pytest.raises(HavenError, match=r"as_text names public\.first\.none"):
        everything(tables, ("public.first.none",))
