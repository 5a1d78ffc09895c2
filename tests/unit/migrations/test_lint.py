"""What a migration blocks, loses or lays open is found; what is harmless is let through."""

import hashlib
import re
from pathlib import Path

import pytest
from pglast import parse_sql

from haven.migrations.files import Migration
from haven.migrations.lint.hazards import HAZARDS
from haven.migrations.lint.linter import judge
from haven.migrations.plan import Pending
from haven.migrations.reference import hazards, headers
from haven.migrations.script import read_script
from tests.unit.migrations.lint_cases import BEFORE, HAZARDOUS
from tests.unit.migrations.lint_harmless import HARMLESS

ROOT = Path(__file__).parents[3]
OUTSIDE = ("CONCURRENTLY", "VACUUM", "CLUSTER", "REINDEX", "SUBSCRIPTION")


def migration(number, text):
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return Migration(number, f"{number:02}_file.sql", Path("file.sql"), text, checksum)


def found_in(*texts, before=BEFORE):
    scripts = []
    for number, text in enumerate(texts, start=2):
        apart = any(word in text for word in OUTSIDE) and "PARTITION OF" not in text
        head = "-- haven: non-transactional\n" if apart else ""
        scripts.append(read_script(Pending(migration(number, f"{head}{text};"), "")))
    judged = judge([migration(1, before)], scripts)
    return [finding for item in judged for finding in item.found]


@pytest.mark.parametrize(("text", "expected"), HAZARDOUS.values(), ids=HAZARDOUS)
def test_a_hazard_is_found(text, expected):
    findings = found_in(text)
    assert [finding.hazard.name for finding in findings] == expected
    for finding in findings:
        assert finding.subject
        assert "{" not in finding.text
        parse_sql(finding.paste.replace("…", "NULL"))


# Where a paste goes on in the next file, or says what it stands for.
CUT = re.compile(r"^-- .*$", re.MULTILINE)
PASTED = {
    name: finding
    for name, (text, _) in HAZARDOUS.items()
    for finding in found_in(text)
    if finding.paste and "…" not in finding.paste
}


@pytest.mark.parametrize("finding", PASTED.values(), ids=PASTED)
def test_what_is_to_be_pasted_is_harmless_itself(finding):
    files = [text for text in CUT.split(finding.paste) if text.strip()]
    if "which accepts this hazard" in finding.paste:
        files.pop()
    left = found_in(*[text.strip(" \n;") for text in files])
    assert finding.hazard.name not in [found.hazard.name for found in left]


KEPT = {
    'ALTER TABLE "Odd" ADD CONSTRAINT "C c" FOREIGN KEY ("A") REFERENCES o ON DELETE CASCADE DEFERRABLE': [
        (
            'ALTER TABLE "Odd" ADD CONSTRAINT "C c" FOREIGN KEY ("A") REFERENCES o ON DELETE CASCADE '
            "DEFERRABLE NOT VALID;"
        ),
        'ALTER TABLE "Odd" VALIDATE CONSTRAINT "C c";',
    ],
    'ALTER TABLE visits ADD UNIQUE NULLS NOT DISTINCT (note) INCLUDE ("C") DEFERRABLE': [
        (
            "CREATE UNIQUE INDEX CONCURRENTLY visits_note_key ON visits (note) "
            'INCLUDE ("C") NULLS NOT DISTINCT;'
        ),
        "ALTER TABLE visits ADD CONSTRAINT visits_note_key UNIQUE USING INDEX visits_note_key DEFERRABLE;",
    ],
    "ALTER TABLE visits ADD CONSTRAINT c CHECK (id > 0) NO INHERIT": [
        "ALTER TABLE visits ADD CONSTRAINT c CHECK (id > 0) NO INHERIT NOT VALID;",
        "ALTER TABLE visits VALIDATE CONSTRAINT c;",
    ],
    'DROP INDEX "S"."I"': ['DROP INDEX CONCURRENTLY "S"."I";'],
    "CREATE INDEX i ON events (id)": [
        "CREATE INDEX i ON ONLY events (id);",
        "CREATE INDEX CONCURRENTLY i_of_a_partition ON a_partition (id);",
        "ALTER INDEX i ATTACH PARTITION i_of_a_partition;",
    ],
    "ALTER TABLE events ADD PRIMARY KEY (id, at)": [
        "ALTER TABLE ONLY events ADD CONSTRAINT events_id_at_key PRIMARY KEY (id, at);",
        "CREATE UNIQUE INDEX CONCURRENTLY events_id_at_key_of_a_partition ON a_partition (id, at);",
        (
            "ALTER TABLE a_partition ADD CONSTRAINT events_id_at_key_of_a_partition "
            "PRIMARY KEY USING INDEX events_id_at_key_of_a_partition;"
        ),
        "ALTER INDEX events_id_at_key ATTACH PARTITION events_id_at_key_of_a_partition;",
    ],
}


@pytest.mark.parametrize(("text", "safe"), KEPT.items(), ids=KEPT)
def test_what_is_to_be_pasted_keeps_what_was_said(text, safe):
    (finding,) = found_in(text)
    pasted = " ".join(CUT.sub("", finding.paste).split())
    assert pasted == " ".join(safe)


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_is_let_through(text):
    assert [finding.text for finding in found_in(text)] == []


def test_every_hazard_has_a_case():
    seen = {name for _, names in HAZARDOUS.values() for name in names}
    only_in_down_files = {"undo-deletes"}
    assert seen | only_in_down_files == HAZARDS.keys()


def test_the_reference_is_up_to_date():
    page = (ROOT / "docs" / "reference" / "migration-hazards.md").read_text(encoding="utf-8")
    assert page == hazards()


def test_the_table_of_headers_is_up_to_date():
    assert headers() in (ROOT / "schema" / "FORMATS.md").read_text(encoding="utf-8")
