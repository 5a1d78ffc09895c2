"""Names that somebody who means harm, or who means none, might think of."""

from __future__ import annotations

import itertools
from random import Random

COUNT = 1200
SEED = 20250417

HAND_MADE = (
    "",
    "\0",
    "a\0b",
    "\0; DROP TABLE canary",
    '"',
    '""',
    'a"b',
    "'",
    "a''b",
    "\\",
    "a\\",
    "\\'; DROP TABLE canary; --",
    '"; DROP TABLE canary; --',
    '"; DROP TABLE canary CASCADE; COMMIT; --',
    "x; DROP TABLE canary",
    "x/*",
    "*/",
    "--",
    "$$",
    "$tag$",
    "%",
    "%s",
    "%(name)s",
    "%%",
    "{}",
    "{0}",
    "{table}",
    "${a#b}",
    "\n",
    "a\nb",
    "a\r\nb",
    "\t",
    " ",
    " a ",
    "\x1b[31m",
    "\x7f",
    "1",
    "1a",
    "0x1",
    "1e5",
    "-",
    ".",
    "a.b",
    'a"."b',
    "/",
    "a/b",
    "a, b",
    "a to b",
    "member of a",
    "setting a",
    ":",
    "a:b",
    "*",
    "?",
    "pg_",
    "pg_read_all_data",
    "PG_catalog",
    "rds_superuser",
    "rdsadmin",
    "public",
    "PUBLIC",
    "none",
    "current_user",
    "session_user",
    "select",
    "SELECT",
    "user",
    "haven_owner ",
    "haven\u005fowner\u200b",
    "h\u0430ven_owner",
    "haven_own\u0435r",
    "\ufeffhaven_owner",
    "haven_owner\u202e",
    "\uff02; DROP TABLE canary; --",
    "\u02ba; DROP TABLE canary; --",
    "\u2019; DROP TABLE canary; --",
    "\ud800",
    "a\udc00",
    "\u00e9",
    "e\u0301",
    "\U0001f3e5",
    "\u0627\u0644\u0644\u0627\u062c\u0626\u064a\u0646",
    "a" * 63,
    "a" * 64,
    "\u00e9" * 31 + "a",
    "\u00e9" * 32,
    "\u20ac" * 21,
    "\u20ac" * 21 + "a",
    "\U0001f3e5" * 15 + "abc",
    "\U0001f3e5" * 16,
    "a" * 62 + '"',
    "a" * 63 + '"',
    "a" * 10000,
)
PIECES = (
    *('"', "'", "\\", ";", "--", "/*", "*/", "$$", "%", "%s", "{}", "\n", "\r", "\t", " ", "\0"),
    *(".", ",", ":", "/", "(", ")", "=", "\u0430", "\u200b", "\u202e", "\uff02", "\U0001f3e5"),
    *("a", "B", "1", "_", "pg_", "haven_", "DROP TABLE canary", "GRANT", "PUBLIC", "\u00e9" * 7),
)


def hostile_names() -> list[str]:
    """Return names that differ from each other: by hand first, then put together at random."""
    random = Random(SEED)  # noqa: S311  # the same names every time
    drawn = ("".join(random.choices(PIECES, k=random.randint(1, 9))) for _ in itertools.count())
    names: dict[str, None] = dict.fromkeys(HAND_MADE)
    while len(names) < COUNT:
        names[next(drawn)] = None
    return list(names)


def fits(name: str) -> bool:
    """Tell by other means than the code under test whether PostgreSQL can have such a name."""
    try:
        return 1 <= len(name.encode()) <= 63 and "\0" not in name  # NAMEDATALEN
    except UnicodeEncodeError:
        return False
