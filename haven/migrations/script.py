"""A pending file as the statements that will run, split by PostgreSQL's own grammar.

The grammar is a native library; it is imported when a file is pending, so a run with nothing
to do does not pay for it.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from haven.errors import InvalidRequest, Refused
from haven.findings import printable
from haven.migrations.files import UNTOUCHED, Migration, line_of, wrong
from haven.migrations.headers import Headers, is_header, may_hold_header, read_headers
from haven.migrations.plan import Pending
from haven.migrations.statements import Traits, traits_of
from haven.migrations.verification import check_verifications

EXCERPT = 60
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
# Every statement that has traits has one of these words, wherever it stands. A tree of Python
# objects costs fifty times what the grammar's own check does.
_TELLING = re.compile(
    r"\b(?:abort|begin|call|cluster|commit|concurrently|copy|database|discard|do|end|prepare"
    r"|reindex|release|reset|rollback|savepoint|set|start|subscription|system|tablespace|vacuum)\b",
    re.IGNORECASE,
)
_PLAIN = Traits()
# Queries have no traits, whatever words they hold; and the longest texts are queries.
_QUERY = re.compile(r"(?:delete|insert|merge|select|update|values|with)\b", re.IGNORECASE)
LONG = 8192
LEAST_STACK = 16 * 2**20
MOST_STACK = 2**30
STACK_PER_CHARACTER = 512


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text without leading comments, where it begins, what it is."""

    text: str = field(repr=False)
    offset: int
    line: int
    traits: Traits

    @property
    def start(self) -> str:
        """How it begins, up to the first literal: that may be a secret."""
        first = " ".join(self.text.split("\n", 1)[0].split())
        for mark in ("'", "$"):
            first = first.split(mark, 1)[0]
        return f"{first[:EXCERPT].rstrip()} …" if len(first) > EXCERPT else first.rstrip()


@dataclass(frozen=True, slots=True)
class Script:
    """A pending migration, read: headers and statements."""

    pending: Pending
    headers: Headers
    statements: tuple[Statement, ...]

    @property
    def migration(self) -> Migration:
        """The file."""
        return self.pending.migration

    @property
    def begun(self) -> int:
        """How many statements an earlier run has done."""
        return self.pending.begun.statements_done if self.pending.begun else 0


def read_script(pending: Pending) -> Script:
    """Parse a pending file and check every statement of it.

    Raises ``InvalidRequest`` or ``Refused`` naming file, line, what is wrong and the cure.
    """
    migration = pending.migration
    headers = read_headers(migration.name, migration.text)
    _check_requirements(migration, headers)
    check_verifications(migration.name, headers)
    statements = tuple(statements_of(migration))
    if not statements:
        raise wrong(migration.name, "it holds no statement", "Write one, or remove the file.")
    _check_late_headers(migration, statements[0].offset)
    for statement in statements:
        _check_statement(migration.name, headers, statement)
    script = Script(pending, headers, statements)
    _check_resumable(script)
    if headers.batch is not None:
        from haven.migrations.backfill import read_backfill  # noqa: PLC0415  # see the docstring

        read_backfill(script)
    return script


def _check_requirements(migration: Migration, headers: Headers) -> None:
    """Numbers have no gaps, so each one below the file's own is there and runs before it."""
    for number in headers.requires:
        if not 0 < number < migration.number:
            raise wrong(
                migration.name,
                f"it requires {number:04}, which does not run before it",
                "Give it a number above that one's, or remove the header.",
            )


def digest_of(statements: Sequence[Statement]) -> str:
    """Return the SHA-256 over statements, comments between them left out."""
    parts = (hashlib.sha256(item.text.encode()).hexdigest() for item in statements)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def statements_of(migration: Migration) -> Iterator[Statement]:
    """Yield the statements of a file, as PostgreSQL's grammar splits them."""
    from pglast import parser  # noqa: PLC0415  # see the module's docstring

    text = migration.text
    try:
        # The grammar checks the whole text and says where statements begin and end.
        pieces: Any = parser.split(text, only_slices=True)
    except parser.ParseError as error:
        raise _unparsable(migration, error) from None
    for piece in pieces:
        offset = piece.start + _comments_before(text[piece])
        body = text[offset : piece.stop].rstrip()
        yield Statement(body, offset, line_of(text, offset), _traits(body))


def _comments_before(text: str) -> int:
    """Return where a statement begins behind the comments before it."""
    from pglast import parser  # noqa: PLC0415  # see the module's docstring

    if not text.startswith(("--", "/*")):
        return 0
    tokens: Any = parser.scan(text)
    return next(int(token.start) for token in tokens if token.name not in _COMMENTS)


def _traits(text: str) -> Traits:
    """Return a statement's traits; only one with a word that can matter is worth a tree."""
    if _QUERY.match(text) or not _TELLING.search(text):
        return _PLAIN
    return traits_of(tree_of(text))


def tree_of(text: str) -> Any:
    """Return the parse tree of one statement."""
    from pglast import parser  # noqa: PLC0415  # see the module's docstring

    def parse() -> Any:
        return parser.parse_sql(text)[0].stmt

    return parse() if len(text) < LONG else _on_a_large_stack(len(text), parse)


def _on_a_large_stack(length: int, work: Callable[[], Any]) -> Any:
    """Work in a thread of its own: a tree is made by recursion, and a stack that is full kills us.

    A sum of fifty thousand terms is as deep as it is long.
    """
    before = threading.stack_size(min(MOST_STACK, LEAST_STACK + STACK_PER_CHARACTER * length))
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(work).result()
    finally:
        threading.stack_size(before)


def _unparsable(migration: Migration, error: Any) -> InvalidRequest:
    """Say why the grammar stops there: often it is something that only psql understands."""
    text, name = migration.text, migration.name
    offset = error.args[1] if len(error.args) > 1 and error.args[1] is not None else len(text)
    copy = _copy_before(text, offset)
    if copy is not None:
        what, cure = traits_of(copy[0]).forbidden or ("", "")
        return wrong(f"{name}:{line_of(text, copy[1])}", what, cure)
    place = f"{name}:{line_of(text, offset)}"
    if text[offset : offset + 1] == "\\":
        command = text[offset:].split(maxsplit=1)[0][:EXCERPT]
        return wrong(
            place,
            f"'{command}' is a command of psql, not SQL",
            "Remove it, or write what it does in SQL.",
        )
    if text[offset : offset + 1] == ":":
        return wrong(
            place, "':' begins a variable of psql, which is not SQL", "Write the value itself."
        )
    return wrong(place, f"PostgreSQL's grammar says: {_reason(error)}", "Mend the statement.")


def _reason(error: Any) -> str:
    """Return what the grammar says, without a literal that it quotes: that may be a secret."""
    says, _, near = str(error.args[0]).partition(" at or near ")
    if not near or "'" in near or "$" in near or len(near) > EXCERPT:
        return printable(says)
    return printable(f"{says} at or near {near}")


def _copy_before(text: str, offset: int) -> tuple[Any, int] | None:
    """Return the first COPY FROM STDIN before a syntax error, and where it begins."""
    from pglast import parser  # noqa: PLC0415  # see the module's docstring

    before = text[:offset]
    try:
        pieces: Any = parser.split(before, with_parser=False, only_slices=True)
        for piece in pieces:
            nodes = parser.parse_sql(before[piece])
            stmt: Any = nodes[0].stmt if nodes else None
            if type(stmt).__name__ == "CopyStmt" and stmt.is_from and stmt.filename is None:
                tokens = parser.scan(before[piece])
                first = next(item.start for item in tokens if item.name not in _COMMENTS)
                return stmt, piece.start + first
    except parser.ParseError:
        return None
    return None


def _check_late_headers(migration: Migration, first: int) -> None:
    """Refuse a header below the top of the file, where nothing would read it."""
    from pglast import parser  # noqa: PLC0415  # see the module's docstring

    if not may_hold_header(migration.text[_top(migration.text) :]):
        return
    text = migration.text
    top = _top(text)
    for token in parser.scan(text):
        comment = text[token.start : token.end + 1]
        if token.name == "SQL_COMMENT" and token.start >= top and is_header(comment):
            below = "below the first statement" if token.start > first else "below other text"
            raise wrong(
                f"{migration.name}:{line_of(text, token.start)}",
                f"the header '{comment[:EXCERPT]}' stands {below}, where it has no effect",
                "Move it into the comment lines with which the file begins.",
            )


def _top(text: str) -> int:
    """Return the offset at which the leading comment lines end."""
    offset = 0
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        offset += len(line)
    return offset


def _check_statement(name: str, headers: Headers, statement: Statement) -> None:
    place = f"{name}:{statement.line}"
    if statement.traits.forbidden:
        what, cure = statement.traits.forbidden
        raise wrong(place, what, cure)
    if headers.transactional and statement.traits.outside:
        raise wrong(
            place,
            f"{statement.traits.outside} cannot run inside a transaction",
            "Put it into a file of its own that begins with '-- haven: non-transactional'.",
        )


def _check_resumable(script: Script) -> None:
    """A file that was begun may be mended from the statement that failed on, not before it."""
    begun = script.pending.begun
    if begun is None:
        return
    done = script.statements[: begun.statements_done]
    if script.headers.transactional:
        changed = "it is no longer non-transactional"
    elif done and digest_of(done) != begun.done_digest:
        changed = "a statement among those was edited"
    elif len(done) < begun.statements_done:
        changed = "some of those are gone"
    else:
        return
    raise Refused(
        f"{script.migration.name}: it was begun as a non-transactional file, its first "
        f"{begun.statements_done} statements are applied, and {changed}.",
        left=UNTOUCHED,
        cure="Bring those back as they were; what comes after them may be mended.",
    )
