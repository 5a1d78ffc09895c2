"""When a table that an earlier run finished is kept."""

from dataclasses import replace

import pytest

from haven.export.columns import Column, Field, Form
from haven.export.manifest import ExportedTable, Stored
from haven.export.resume import columns_of, key_mark, why_not_kept
from haven.export.tables import Selected, Table

ID = Column("id", "bigint", "int8")
NAME = Column("name", "text", "text")
KEY, OTHER = b"k" * 32, b"o" * 32
TABLE = Selected(Table("s", "t", (ID, NAME)), (Field(ID, Form.INTEGER), Field(NAME, Form.HASH)))
STORED = Stored(key="data/s.t/00001.parquet", size=10, sha256="", rows=1, checksum="")
SIZES = {STORED.key: 10}
FINISHED = ExportedTable(
    schema_name="s",
    name="t",
    identity="s.t",
    columns=columns_of(TABLE),
    rows=1,
    fingerprint=1,
    objects=(STORED,),
    snapshot="1:1:",
    hash_key=key_mark(TABLE, KEY),
)


@pytest.mark.parametrize(
    ("of", "sizes", "key", "reason"),
    [
        (TABLE, SIZES, KEY, ""),
        (None, SIZES, KEY, "it is no longer exported"),
        (replace(TABLE, fields=TABLE.fields[:1]), SIZES, KEY, "its columns have changed"),
        (TABLE, SIZES, OTHER, "its hashes have another key"),
        (TABLE, {}, KEY, "its objects are not what they were"),
        (TABLE, {STORED.key: 11}, KEY, "its objects are not what they were"),
    ],
)
def test_a_finished_table_is_kept_where_nothing_speaks_against_it(of, sizes, key, reason):
    assert why_not_kept(FINISHED, of, sizes, key) == reason


def test_a_table_of_hashes_alone_cannot_be_proven_unchanged():
    made = replace(TABLE, fields=TABLE.fields[1:])
    finished = FINISHED.model_copy(update={"columns": columns_of(made)})
    assert why_not_kept(finished, made, SIZES, KEY).startswith("no column of it")


def test_a_mark_tells_keys_apart_and_is_of_hashes_alone():
    plain = replace(TABLE, fields=TABLE.fields[:1])
    assert key_mark(plain, KEY) == ""
    assert key_mark(TABLE, KEY) != key_mark(TABLE, OTHER)
    assert KEY.hex() not in key_mark(TABLE, KEY)
