"""Each row is a folder that is refused before anything runs, and what the message says."""

import pytest

from haven.errors import InvalidRequest, Refused
from haven.migrations.files import read_folder
from haven.migrations.plan import plan_migrations
from haven.migrations.script import read_script

GOOD = b"CREATE TABLE one (id bigint);\n"

ROWS = [
    ({}, "holds no migration"),
    ({"FORMATS.md": b"text", ".hidden.sql": GOOD}, "holds no migration"),
    ({"00_zero.sql": GOOD}, "00_zero.sql: the number is 0"),
    ({"02_two.sql": GOOD}, "02_two.sql: there is a gap before it: number 1 is missing"),
    ({"01_a.sql": GOOD, "03_c.sql": GOOD}, "03_c.sql: there is a gap before it: number 2"),
    ({"01_a.sql": GOOD, "01_b.sql": GOOD}, "01_b.sql: the number 1 is a duplicate: 01_a.sql"),
    ({"01_a.sql": GOOD, "0001_b.sql": GOOD}, "the number 1 is a duplicate"),
    ({"1_a.sql": GOOD}, "1_a.sql: the name is not two to four digits"),
    ({"00001_a.sql": GOOD}, "00001_a.sql: the name is not"),
    ({"01_Upper.sql": GOOD}, "01_Upper.sql: the name is not"),
    ({"01_a.SQL": GOOD}, "01_a.SQL: the name is not"),
    ({"01-a.sql": GOOD}, "01-a.sql: the name is not"),
    ({"01_a b.sql": GOOD}, "01_a b.sql: the name is not"),
    ({"01_caf\u00e9.sql": GOOD}, "01_caf\\xe9.sql: the name is not"),
    ({"01_.sql": GOOD}, "01_.sql: the name is not"),
    ({"initial.sql": GOOD}, "initial.sql: the name is not"),
    ({"01_a.down.sql": GOOD}, "01_a.down.sql: it would undo a file that is not there"),
    ({"01_a.sql": GOOD, "1_b.down.sql": GOOD}, "1_b.down.sql: it would undo a file that is not"),
    ({"01_a.sql": GOOD, "01_a.DOWN.sql": GOOD}, "01_a.DOWN.sql: the name is not"),
    ({"01_a.psql": GOOD}, "01_a.psql: the name is not"),
    ({f"01_{'a' * 100}.sql": GOOD}, "longer than 100 characters"),
    ({"01_a.sql": b"\xef\xbb\xbfSELECT 1;"}, "01_a.sql:1: it begins with a byte order mark"),
    ({"01_a.sql": "SELECT 1;".encode("utf-16")}, "01_a.sql:1: it is UTF-16"),
    ({"01_a.sql": b"SELECT 1;\nSELECT '\xe9';"}, "01_a.sql:2: it is not UTF-8: byte 0xe9"),
    ({"01_a.sql": b"SELECT 1;\n\n\0"}, "01_a.sql:3: it holds a NUL byte"),
    ({"01_a.sql": b""}, "01_a.sql: it holds no statement"),
    ({"01_a.sql": b"-- nothing yet\n;\n"}, "01_a.sql: it holds no statement"),
    ({"01_a.sql": b"SELECT 1;\nSELEC 2;"}, "01_a.sql:2: PostgreSQL's grammar says: syntax error"),
    ({"01_a.sql": b"SELECT 1\n\nFROM"}, "01_a.sql:3: PostgreSQL's grammar says: syntax error"),
    ({"01_a.sql": b"\nSELECT 'abc"}, "01_a.sql:2: PostgreSQL's grammar says: unterminated"),
    ({"01_a.sql": b"SELECT $$abc"}, "unterminated dollar-quoted"),
    ({"01_a.sql": b"SELECT 1;\n\\d patients\n"}, "01_a.sql:2: '\\d' is a command of psql"),
    ({"01_a.sql": b"\\set ON_ERROR_STOP on\nSELECT 1;"}, "01_a.sql:1: '\\set' is a command"),
    ({"01_a.sql": b"SELECT 1 \\gset\n"}, "'\\gset' is a command of psql"),
    ({"01_a.sql": b"\n\\i other.sql\n"}, "01_a.sql:2: '\\i' is a command of psql"),
    ({"01_a.sql": b"SELECT :limit;"}, "':' begins a variable of psql"),
    (
        {"01_a.sql": b"SELECT 1;\n-- rows\nCOPY t (a) FROM stdin;\n1\tO'Neil\n\\.\n"},
        "01_a.sql:3: COPY \u2026 FROM STDIN needs data",
    ),
    ({"01_a.sql": b"COPY t FROM STDIN;"}, "COPY \u2026 FROM STDIN needs data"),
    ({"01_a.sql": b"COPY t FROM STDIN;\n\\.\n"}, "01_a.sql:1: COPY \u2026 FROM STDIN"),
    ({"01_a.sql": b"COPY t TO STDOUT;"}, "COPY \u2026 TO STDOUT"),
    ({"01_a.sql": b"COPY t FROM '/tmp/x';"}, "not possible on RDS"),
    ({"01_a.sql": b"COPY t TO PROGRAM 'x';"}, "not possible on RDS"),
    ({"01_a.sql": b"BEGIN;\nSELECT 1;\nCOMMIT;"}, "01_a.sql:1: it begins or ends a transaction"),
    ({"01_a.sql": b"SELECT 1;\nCOMMIT;"}, "01_a.sql:2: it begins or ends a transaction"),
    ({"01_a.sql": b"SELECT 1;\n\nrollback"}, "01_a.sql:3: it begins or ends a transaction"),
    ({"01_a.sql": b"START TRANSACTION;"}, "it begins or ends a transaction"),
    ({"01_a.sql": b"SAVEPOINT here;"}, "it begins or ends a transaction"),
    ({"01_a.sql": b"PREPARE TRANSACTION 'x';"}, "it begins or ends a transaction"),
    ({"01_a.sql": b"-- haven: non-transactional\nBEGIN;"}, "it begins or ends a transaction"),
    (
        {"01_a.sql": b"SELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a);"},
        "01_a.sql:2: CREATE INDEX CONCURRENTLY cannot run inside a transaction",
    ),
    ({"01_a.sql": b"DROP INDEX CONCURRENTLY i;"}, "DROP INDEX CONCURRENTLY cannot run inside"),
    ({"01_a.sql": b"REINDEX TABLE CONCURRENTLY t;"}, "REINDEX CONCURRENTLY cannot run inside"),
    ({"01_a.sql": b"REINDEX DATABASE x;"}, "REINDEX of a schema or database cannot run inside"),
    ({"01_a.sql": b"VACUUM t;"}, "begins with '-- haven: non-transactional'"),
    ({"01_a.sql": b"CLUSTER;"}, "CLUSTER without a table cannot run inside"),
    ({"01_a.sql": b"CREATE DATABASE other;"}, "CREATE DATABASE cannot run inside"),
    ({"01_a.sql": b"CREATE TABLESPACE s LOCATION '/x';"}, "CREATE TABLESPACE cannot run"),
    ({"01_a.sql": b"ALTER DATABASE x SET TABLESPACE s;"}, "SET TABLESPACE cannot run inside"),
    ({"01_a.sql": b"ALTER TABLE a DETACH PARTITION b CONCURRENTLY;"}, "DETACH PARTITION"),
    ({"01_a.sql": b"ALTER SYSTEM SET work_mem = '1GB';"}, "ALTER SYSTEM cannot run"),
    ({"01_a.sql": b"DISCARD ALL;"}, "DISCARD ALL cannot run"),
    (
        {"01_a.sql": b"-- haven: non-transactional\nCREATE INDEX CONCURRENTLY ON t (a);"},
        "01_a.sql:2: CREATE INDEX CONCURRENTLY without a name",
    ),
    ({"01_a.sql": b"-- haven: fast\nSELECT 1;"}, "01_a.sql:1: there is no header 'fast'"),
    ({"01_a.sql": b"-- haven:lock-timeout 2s\nSELECT 1;"}, "01_a.sql:1: the header"),
    ({"01_a.sql": b"--haven: non-transactional\nSELECT 1;"}, "is malformed"),
    ({"01_a.sql": b"-- Haven: non-transactional\nSELECT 1;"}, "is malformed"),
    ({"01_a.sql": b"-- haven: lock-timeout\nSELECT 1;"}, "the value '', which is no duration"),
    ({"01_a.sql": b"-- haven: lock-timeout 2\nSELECT 1;"}, "the value '2', which is no duration"),
    ({"01_a.sql": b"-- haven: lock-timeout 2 s\nSELECT 1;"}, "which is no duration"),
    ({"01_a.sql": b"-- haven: lock-timeout 0s\nSELECT 1;"}, "not between 1ms and 596h"),
    ({"01_a.sql": b"-- haven: statement-timeout 999h\nSELECT 1;"}, "not between 1ms and 596h"),
    ({"01_a.sql": b"-- haven: non-transactional yes\nSELECT 1;"}, "takes no value"),
    (
        {"01_a.sql": b"-- haven: lock-timeout 2s\n-- haven: lock-timeout 3s\nSELECT 1;"},
        "01_a.sql:2: the header 'lock-timeout' is there twice",
    ),
    ({"01_a.sql": b"-- haven: accepts\nDROP TABLE t;"}, "names no hazard with its reason"),
    ({"01_a.sql": b"-- haven: accepts drop-loses-data\nDROP TABLE t;"}, "with its reason"),
    ({"01_a.sql": b"-- haven: accepts drop-loses-data:\nDROP TABLE t;"}, "with its reason"),
    ({"01_a.sql": b"-- haven: verify\nSELECT 1;"}, "which is no query"),
    ({"01_a.sql": b"-- haven: verify DROP TABLE t\nSELECT 1;"}, "which is no query"),
    ({"01_a.sql": b"-- haven: verify SELECT (\nSELECT 1;"}, "PostgreSQL cannot read the query"),
    ({"01_a.sql": b"-- haven: verify SELECT 1; DROP TABLE t\nSELECT 1;"}, "is more than a SELECT"),
    ({"01_a.sql": b"-- haven: verify SELECT 1 INTO t\nSELECT 1;"}, "is more than a SELECT"),
    ({"01_a.sql": b"-- haven: verify SELECT true FROM t FOR UPDATE\nSELECT 1;"}, "more than"),
    (
        {
            "01_a.sql": b"-- haven: verify WITH x AS (DELETE FROM t RETURNING 1) SELECT true\n"
            b"SELECT 1;"
        },
        "is more than a SELECT",
    ),
    (
        {"01_a.sql": b"-- haven: accepts a: x\n-- haven: accepts a: x\nSELECT 1;"},
        "01_a.sql:2: the header 'accepts' is there twice",
    ),
    ({"01_a.sql": b"-- haven: requires one\nSELECT 1;"}, "which is no number of a file"),
    ({"01_a.sql": b"-- haven: requires 0001\nSELECT 1;"}, "it requires 0001, which does not run"),
    (
        {"01_a.sql": b"SELECT 1;\n-- haven: lock-timeout 2s\nSELECT 2;"},
        "01_a.sql:2: the header '-- haven: lock-timeout 2s' stands below the first statement",
    ),
    (
        {"01_a.sql": b"/* title */\n-- haven: non-transactional\nVACUUM t;"},
        "01_a.sql:2: the header '-- haven: non-transactional' stands below other text",
    ),
]


@pytest.mark.parametrize(("files", "fragment"), ROWS)
def test_a_bad_folder_is_refused(tmp_path, files, fragment):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    message = refusal(tmp_path)
    assert fragment in message
    assert "Nothing was touched." in message
    assert "\n" not in message


def test_a_missing_folder_is_refused(tmp_path):
    assert "cannot be read: No such file" in refusal(tmp_path / "none")


def test_a_file_as_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(GOOD)
    assert "cannot be read: Not a directory" in refusal(tmp_path / "file")


def test_a_symbolic_link_is_refused(tmp_path):
    (tmp_path / "real.txt").write_bytes(GOOD)
    (tmp_path / "01_a.sql").symlink_to("real.txt")
    assert "01_a.sql: it is a symbolic link" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["01_a.sql", "older"])
def test_a_directory_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    assert f"{name}: it is a directory" in refusal(tmp_path)


def refusal(folder):
    with pytest.raises((InvalidRequest, Refused)) as caught:
        read_all(folder)
    return str(caught.value)


def read_all(folder):
    return [read_script(item) for item in plan_migrations(read_folder(folder), []).pending]
