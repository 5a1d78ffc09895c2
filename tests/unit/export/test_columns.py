"""How each type is kept, loaded and hashed."""

import pytest

from haven.export.columns import Column, Field, Form, Hashed


@pytest.mark.parametrize(
    ("column", "form", "loads_as", "hashed"),
    [
        (Column("a", "integer", "int4"), Form.INTEGER, "integer", Hashed.VALUE),
        (Column("a", "numeric(12,2)", "numeric"), Form.TEXT, "numeric(12,2)", Hashed.VALUE),
        (Column("a", "integer[]", "_int4"), Form.TEXT, "integer[]", Hashed.VALUE),
        (Column("a", "xml", "xml", hashable=False), Form.TEXT, "xml", Hashed.TEXT),
        (Column("a", "s.mood", "", own=False), Form.TEXT, "text", Hashed.TEXT),
        (Column("a", "s.short", "text", own=False), Form.STRING, "text", Hashed.TEXT),
        (Column("a", "s.share", "float8", own=False), Form.FLOAT, "float8", Hashed.TEXT),
        (Column("a", "s.code", "bpchar", own=False), Form.STRING, "bpchar", Hashed.TEXT),
        (Column("a", "s.tags", "_text", own=False), Form.TEXT, "_text", Hashed.TEXT),
        (Column("a", "text", "text"), Form.STRING, "text", Hashed.VALUE),
        (Column("a", "regclass", "regclass"), Form.TEXT, "text", Hashed.TEXT),
        (Column("a", "regclass[]", "_regclass"), Form.TEXT, "text", Hashed.TEXT),
        (Column("a", "oid", "oid"), Form.TEXT, "oid", Hashed.VALUE),
        (
            Column("a", "time without time zone", "time"),
            Form.TEXT,
            "time without time zone",
            "value",
        ),
    ],
)
def test_a_type_is_kept_where_it_is_exact_and_is_text_elsewhere(column, form, loads_as, hashed):
    assert (column.form, column.loads_as) == (form, loads_as)
    assert Field(column, column.form).hashed == hashed


@pytest.mark.parametrize("form", [Form.YEAR, Form.HASH])
def test_what_is_made_of_a_value_is_in_no_fingerprint(form):
    assert Field(Column("a", "date", "date"), form).hashed is Hashed.NOT
