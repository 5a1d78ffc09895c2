"""Names on their way into SQL: quoted as they are, or refused."""

from __future__ import annotations

from psycopg import sql

from haven.errors import InvalidRequest

# PostgreSQL cuts a longer name off without saying so, and would act on another object.
NAME_BYTES = 63


def identifier(*path: str) -> sql.Identifier:
    """Return a name, with its schema before it, as a quoted identifier.

    Raises ``InvalidRequest`` for what cannot be the name of exactly one object.
    """
    for name in path:
        reason = _wrong(name)
        if reason:
            raise InvalidRequest(
                f"The name {name!a} cannot stand in SQL: {reason}.",
                left="Nothing was touched.",
            )
    return sql.Identifier(*path)


def _wrong(name: str) -> str:
    if not name:
        return "it is empty"
    if "\0" in name:
        return "it holds a NUL character"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "it holds half a character"
    if length > NAME_BYTES:
        return f"it has {length} bytes, and PostgreSQL cuts names off after {NAME_BYTES}"
    return ""
