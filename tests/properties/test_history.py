"""Applied files bind: whatever is edited, removed, renamed or put among them is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haven.errors import HavenError, Refused
from haven.migrations.files import Migration
from haven.migrations.order import chained
from haven.migrations.plan import Entry, plan_migrations
from haven.migrations.repair import plan_repair


def folder(texts):
    return [
        Migration(
            number,
            f"{number:02}_file.sql",
            Path(f"{number:02}_file.sql"),
            text,
            hashlib.sha256(text.encode()).hexdigest(),
        )
        for number, text in enumerate(texts, start=1)
    ]


def ledger(files, count):
    links = chained(file.checksum for file in files)
    return [
        Entry(file.number, file.name, file.checksum, link)
        for file, link in zip(files[:count], links, strict=False)
    ]


texts = st.lists(st.text(max_size=5), min_size=1, max_size=8)


@given(texts, st.data())
def test_what_is_pending_is_what_was_not_applied(texts_, data):
    files = folder(texts_)
    count = data.draw(st.integers(0, len(files)))
    plan = plan_migrations(files, ledger(files, count))
    assert plan.already == count
    assert [item.migration for item in plan.pending] == files[count:]


@given(texts, st.data())
def test_an_applied_file_that_was_edited_is_refused_until_it_is_repaired(texts_, data):
    files = folder(texts_)
    applied = ledger(files, data.draw(st.integers(1, len(files))))
    place = data.draw(st.integers(0, len(applied) - 1))
    text = data.draw(st.text(max_size=5).filter(lambda text: text != texts_[place]))
    edited = folder([*texts_[:place], text, *texts_[place + 1 :]])
    with pytest.raises(Refused, match=f"{place + 1:02}_file.sql: it was edited"):
        plan_migrations(edited, applied)
    repair = plan_repair(edited, applied, edited[place].name)
    assert repair is not None
    links = dict(repair.links)
    mended = [
        replace(
            entry,
            checksum=repair.checksum if entry is repair.entry else entry.checksum,
            chained=links.get(entry.number, entry.chained),
        )
        for entry in applied
    ]
    assert plan_migrations(edited, mended).already == len(applied)


@given(texts, st.sampled_from(["remove", "rename", "insert", "link"]), st.data())
def test_a_history_that_does_not_fit_is_refused(texts_, how, data):
    files = folder(texts_)
    applied = ledger(files, data.draw(st.integers(1, len(files))))
    place = data.draw(st.integers(0, len(applied) - 1))
    if how == "remove":
        files = [file for file in files if file.number != place + 1]
    elif how == "rename":
        files[place] = replace(files[place], name=f"{place + 1:02}_other.sql")
    elif how == "insert":
        files = folder([*texts_[:place], "new", *texts_[place:]])
    else:
        applied[place] = replace(applied[place], chained="0" * 64)
    if how == "insert" and [file.checksum for file in files[: len(applied)]] == [
        entry.checksum for entry in applied
    ]:
        return
    with pytest.raises(HavenError, match=r"Nothing was touched\."):
        plan_migrations(files, applied)
