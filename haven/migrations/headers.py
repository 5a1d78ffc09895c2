"""Headers: comments at the top of a file that say how it is to be run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from haven.migrations.files import wrong

NON_TRANSACTIONAL = "non-transactional"
LOCK_TIMEOUT = "lock-timeout"
STATEMENT_TIMEOUT = "statement-timeout"
ACCEPTS = "accepts"
REQUIRES = "requires"
VERIFY = "verify"
BACKFILL = "backfill"
MOST_MS = 2**31 - 1

_HEADER = re.compile(r"--[ \t]*haven[ \t]*:(?P<rest>.*)", re.IGNORECASE)
_EXACT = re.compile(r"-- haven: (?P<word>[a-z-]+)(?: (?P<value>\S.*?))?[ \t]*")
_DURATION = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>ms|s|min|h)")
_UNIT_MS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True)
class Form:
    """A header as it is written: what it means, an example of its value, and what fits as one.

    ``value`` says what the value is, ``wrong`` what a value that does not fit is not; one without a
    ``pattern`` takes none. ``repeated`` ones may stand in a file more than once.
    """

    meaning: str
    example: str = ""
    pattern: re.Pattern[str] | None = None
    value: str = ""
    wrong: str = ""
    repeated: bool = False


_SPAN = (_DURATION, "a whole number with ms, s, min or h", "is no duration")
FORMS = {
    NON_TRANSACTIONAL: Form("statement by statement, in no common transaction"),
    LOCK_TIMEOUT: Form(
        "longest wait for a lock; otherwise `HAVEN_LOCK_TIMEOUT` (2 s)", "2s", *_SPAN
    ),
    STATEMENT_TIMEOUT: Form("longest run of a statement; otherwise none", "10min", *_SPAN),
    ACCEPTS: Form(
        "the file does this, knowingly; once for each hazard",
        "index-blocks-writes: the table has 200 rows",
        re.compile(r"(?P<hazard>[a-z0-9-]+): +(?P<reason>\S.*)"),
        "the hazard, a colon and the reason",
        "names no hazard with its reason",
        repeated=True,
    ),
    REQUIRES: Form(
        "the file stands on that one; its own number must be above it",
        "0007",
        re.compile(r"[0-9]{2,4}"),
        "the number of an earlier file",
        "is no number of a file",
        repeated=True,
    ),
    BACKFILL: Form(
        "its one `UPDATE` runs in batches of so many rows, see below",
        "1000",
        re.compile(r"[1-9][0-9]{0,4}"),
        "the rows of one batch, 1 to 99999",
        "is no number of rows",
    ),
    VERIFY: Form(
        "must return true once the file has run; on one line, as many as it takes",
        "SELECT count(*) = 3 FROM sorts",
        re.compile(r"(?:SELECT|WITH)\b.*", re.IGNORECASE),
        "a query that returns true, on one line",
        "is no query",
        repeated=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Headers:
    """What the headers of one file ask for; time limits in milliseconds.

    ``accepts`` has the reason for each hazard that the file takes on; ``requires`` the numbers of
    files that it stands on; ``verifies`` the queries that have to return true once it has run;
    ``batch`` is how many rows a transaction of a backfill may look at, none for any other file.
    """

    transactional: bool = True
    lock_timeout_ms: int | None = None
    statement_timeout_ms: int | None = None
    accepts: tuple[tuple[str, str], ...] = ()
    requires: tuple[int, ...] = ()
    verifies: tuple[str, ...] = ()
    batch: int | None = None


def read_headers(name: str, text: str) -> Headers:
    """Read the headers in the lines of comment with which a file begins.

    Raises ``InvalidRequest`` naming file and line of one that is unknown or malformed.
    """
    given: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        if is_header(stripped):
            word, value = _parse(f"{name}:{number}", stripped)
            if word in given and (not FORMS[word].repeated or value in given[word]):
                raise wrong(f"{name}:{number}", f"the header '{word}' is there twice", "Keep one.")
            given.setdefault(word, []).append(value)
    limits = {
        word: _milliseconds(name, word, given[word][0])
        for word in (LOCK_TIMEOUT, STATEMENT_TIMEOUT)
        if word in given
    }
    return Headers(
        transactional=NON_TRANSACTIONAL not in given and BACKFILL not in given,
        lock_timeout_ms=limits.get(LOCK_TIMEOUT),
        statement_timeout_ms=limits.get(STATEMENT_TIMEOUT),
        accepts=tuple(_accepted(value) for value in given.get(ACCEPTS, ())),
        requires=tuple(int(value) for value in given.get(REQUIRES, ())),
        verifies=tuple(value.rstrip("; ") for value in given.get(VERIFY, ())),
        batch=int(given[BACKFILL][0]) if BACKFILL in given else None,
    )


def _accepted(value: str) -> tuple[str, str]:
    hazard, _, reason = value.partition(":")
    return hazard, reason.strip()


def is_header(comment: str) -> bool:
    """Tell whether a comment is meant as a header.

    In another case, or after another spacing, it is when a known word follows; so a title
    such as ``-- Haven: the tables of patients`` is none.
    """
    match = _HEADER.match(comment)
    if match is None:
        return False
    words = match["rest"].split(maxsplit=1)
    known = bool(words) and words[0].lower() in FORMS
    return known or comment.startswith(("-- haven:", "--haven:"))


def may_hold_header(text: str) -> bool:
    """Tell whether a closer look is worth it: most texts hold nothing like a header."""
    return _HEADER.search(text) is not None


def _parse(place: str, line: str) -> tuple[str, str]:
    match = _EXACT.fullmatch(line)
    if match is None:
        raise wrong(
            place,
            f"the header '{line[:60]}' is malformed",
            "A header is written like '-- haven: lock-timeout 2s', in lower case.",
        )
    word, value = match["word"], match["value"] or ""
    form = FORMS.get(word)
    if form is None:
        raise wrong(place, f"there is no header '{word}'", f"Known headers: {', '.join(FORMS)}.")
    if form.pattern is None and value:
        raise wrong(place, f"the header '{word}' takes no value", f"Write '-- haven: {word}'.")
    if form.pattern is not None and form.pattern.fullmatch(value) is None:
        raise wrong(
            place,
            f"the header '{word}' has the value '{value[:40]}', which {form.wrong}",
            f"Write {form.value}, like '-- haven: {word} {form.example}'.",
        )
    return word, value


def _milliseconds(name: str, word: str, value: str) -> int:
    match = _DURATION.fullmatch(value)
    span = int(match["count"]) * _UNIT_MS[match["unit"]] if match else 0
    if not 0 < span <= MOST_MS:
        raise wrong(
            name,
            f"the header '{word}' has the value '{value}', which is not between 1ms and 596h",
            "Give a limit within that; 0 would mean no limit at all.",
        )
    return span
