from pathlib import Path

import pytest
from pglast import parse_sql

from haven.errors import Refused
from haven.migrations.files import Migration, read_folder
from haven.migrations.headers import Headers, read_headers
from haven.migrations.plan import FAILED, Entry, Pending
from haven.migrations.script import digest_of, read_script
from haven.migrations.statements import Traits, traits_of

OUTSIDE = "-- haven: non-transactional\n"


def script(text, begun=None):
    return read_script(Pending(Migration(1, "01_a.sql", Path("01_a.sql"), text, "c"), "l", begun))


def test_statements_know_line_and_offset_behind_comments_and_wide_letters():
    text = "-- é\n/* ü */ SELECT 'ß';\n\n-- two\nSELECT\n 2"
    read = script(text).statements
    assert [(item.line, item.text) for item in read] == [(2, "SELECT 'ß'"), (5, "SELECT\n 2")]
    assert [text[item.offset :][:6] for item in read] == ["SELECT", "SELECT"]


def test_the_start_of_a_statement_never_shows_a_literal():
    read = script("ALTER ROLE x PASSWORD 'secret'; DO $$ BEGIN END $$;").statements
    assert [item.start for item in read] == ["ALTER ROLE x PASSWORD", "DO"]


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("SELECT 1;", Headers()),
        ("-- a title\n\n-- haven: non-transactional\n", Headers(transactional=False)),
        ("-- haven: lock-timeout 250ms  \n", Headers(lock_timeout_ms=250)),
        ("-- haven: statement-timeout 10min\n", Headers(statement_timeout_ms=600_000)),
        (
            "-- haven: verify SELECT count(*) = 2 FROM t;\n-- haven: verify SELECT true\n",
            Headers(verifies=("SELECT count(*) = 2 FROM t", "SELECT true")),
        ),
        (
            "-- haven: accepts drop-loses-data: it is empty\n-- haven: accepts lock-table: at night\n",
            Headers(accepts=(("drop-loses-data", "it is empty"), ("lock-table", "at night"))),
        ),
        ("-- haven: requires 0007\n-- haven: requires 12\n", Headers(requires=(7, 12))),
        ("-- Haven: the tables of patients\n-- haven is a harbour\n", Headers()),
        ("SELECT '\n-- haven: fast\n';", Headers()),
    ],
)
def test_headers(text, headers):
    assert read_headers("01_a.sql", text) == headers


@pytest.mark.parametrize(
    "text",
    [
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$; SELECT 1;",
        "SELECT E'\\\\d;', '-- haven: fast'; /* ; */ SELECT 1 /* -- haven: fast */;",
    ],
)
def test_the_grammar_splits_not_the_semicolon(text):
    assert len(script(text).statements) == 2


def test_line_ends_do_not_change_the_checksum(tmp_path):
    for folder, data in (
        ("lf", b"SELECT 1;\nSELECT 2;\n"),
        ("crlf", b"SELECT 1;\r\nSELECT 2;\r\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "01_a.sql").write_bytes(data)
    assert read_folder(tmp_path / "lf")[0].checksum == read_folder(tmp_path / "crlf")[0].checksum


def begun(text, done):
    digest = digest_of(script(text).statements[:done])
    return Entry(1, "01_a.sql", "c", "l", FAILED, done, digest)


def test_a_begun_file_may_be_mended_after_what_is_done():
    entry = begun(f"{OUTSIDE}SELECT 1; SELEKT; SELECT 3;".replace("SELEKT", "SELECT 0"), 1)
    assert script(f"{OUTSIDE}-- new\nSELECT 1; SELECT 2;", entry).begun == 1


def test_a_file_that_was_begun_with_nothing_done_may_be_mended_anywhere():
    entry = Entry(1, "01_a.sql", "c", "l", FAILED, 0, "")
    assert script(f"{OUTSIDE}SELECT 2;", entry).begun == 0


@pytest.mark.parametrize(
    "text", [f"{OUTSIDE}SELECT 9; SELECT 2;", "SELECT 1; SELECT 2;", f"{OUTSIDE}SELECT 1;"]
)
def test_a_begun_file_may_not_be_edited_before_what_is_done(text):
    entry = begun(f"{OUTSIDE}SELECT 1; SELECT 2; SELECT 3;", 2 if text.endswith("1;") else 1)
    with pytest.raises(Refused, match=r"its first . statements are applied, and"):
        script(text, entry)


TELLING = (
    "VACUUM FULL t",
    "cluster",
    "ReIndex (Concurrently) TABLE t",
    "REINDEX SCHEMA s",
    "CREATE UNIQUE INDEX\nconcurrently i ON t (a)",
    "DROP INDEX/**/CONCURRENTLY IF EXISTS s.i",
    "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    "CREATE DATABASE d",
    "ALTER DATABASE d SET TABLESPACE x",
    "DROP DATABASE d",
    "CREATE TABLESPACE x LOCATION '/x'",
    "DROP TABLESPACE x",
    "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
    "DROP SUBSCRIPTION s",
    "CALL p()",
    "DO $$ BEGIN END $$",
    "SET work_mem = '1MB'",
    "RESET work_mem",
)
PLAIN = (
    "SELECT 1",
    "UPDATE t SET a = CASE WHEN b THEN 1 END",
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "CREATE INDEX i ON t (a)",
    "SET LOCAL work_mem = '1MB'",
    'CREATE TABLE "vacuum" ("begin" int, concurrently_made int)',
    "COMMENT ON TABLE t IS 'copy; commit; vacuum'",
)


@pytest.mark.parametrize("text", TELLING + PLAIN)
def test_no_statement_with_traits_is_taken_for_a_plain_one(text):
    """The words that are looked for first leave out none that the grammar knows better."""
    read = script(OUTSIDE + text).statements
    assert [item.traits for item in read] == [traits_of(parse_sql(text)[0].stmt)]
    assert (read[0].traits == Traits()) is (text in PLAIN)
