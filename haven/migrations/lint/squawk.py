"""What squawk remarks, held against what is known here: only what is new to us counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from haven.migrations.lint.findings import Finding, Hazard
from haven.migrations.lint.linter import Judged

# Matters of style, and what the runner sees to: time limits, transactions, running again.
IGNORED = frozenset(
    {
        "ban-concurrent-index-creation-in-transaction",
        "ban-uncommitted-transaction",
        "prefer-bigint-over-int",
        "prefer-bigint-over-smallint",
        "prefer-identity",
        "prefer-robust-stmts",
        "prefer-text-field",
        "require-enum-value-ordering",
        "require-lock-timeout",
        "require-statement-timeout",
        "syntax-error",
        "transaction-nesting",
    }
)
# By rule of squawk: the hazards here that say the same and more.
SAME = {
    "require-concurrent-index-creation": {"index-blocks-writes"},
    "require-concurrent-index-deletion": {"drop-index-blocks"},
    "require-concurrent-reindex": {"reindex-blocks"},
    "require-concurrent-partition-detach": {"detach-blocks"},
    "adding-foreign-key-constraint": {"foreign-key-scans"},
    "disallowed-unique-constraint": {"constraint-builds-index"},
    "adding-serial-primary-key-field": {"constraint-builds-index"},
    "adding-required-field": {"column-required"},
    "renaming-column": {"rename-breaks"},
    "renaming-table": {"rename-breaks"},
    "ban-drop-column": {"drop-loses-data"},
    "ban-drop-table": {"drop-loses-data"},
    "ban-drop-schema": {"drop-loses-data"},
    "ban-drop-database": {"rds-refuses"},
    "ban-drop-sequence": {"drop-loses-data"},
    "ban-drop-view": {"drop-breaks", "drop-loses-data"},
    "ban-drop-type": {"drop-breaks"},
    "ban-drop-function": {"drop-breaks"},
    "ban-drop-constraint": {"guard-dropped"},
    "ban-truncate-cascade": {"truncate-loses-data"},
    "ban-alter-domain-with-add-constraint": {"domain-scans"},
}
# Rules of which the cases are told apart better here: by types, by proofs that are there, by names
# that clients do not use.
FINER = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "ban-alter-domain-with-add-constraint",
        "ban-drop-constraint",
        "changing-column-type",
        "constraint-missing-not-valid",
        "renaming-object",
    }
)


@dataclass(frozen=True, slots=True)
class Remark:
    """What squawk says of a line, counted from 1."""

    file: str
    line: int
    rule: str
    message: str
    help: str = ""


def further(remarks: Iterable[Remark], judged: Sequence[Judged]) -> Iterator[Finding]:
    """Yield what squawk has found and the rules here have not, on what is not empty anyway."""
    for remark in remarks:
        if remark.rule in IGNORED or remark.rule in FINER:
            continue
        statement = _statement_of(remark, judged)
        if statement is None or statement.harmless:
            continue
        names = {finding.hazard.name for finding in statement.found}
        if not names & SAME.get(remark.rule, set()):
            hazard = Hazard(remark.rule, _text(remark.message), _text(remark.help))
            yield Finding(remark.file, remark.line, hazard, "")


def _statement_of(remark: Remark, judged: Sequence[Judged]) -> Judged | None:
    for item in judged:
        if item.file == remark.file and item.first <= remark.line <= item.last:
            return item
    return None


def _text(words: str) -> str:
    """Return words of squawk as a sentence; braces would be read as places for names."""
    text = " ".join(words.split()).replace("{", "{{").replace("}", "}}")
    return text if not text or text.endswith(".") else f"{text}."
