"""Everything that a log or a debugger might show of an exception, its whole chain included."""

import traceback
from collections.abc import Iterator
from typing import Any

import psycopg

FIELDS = tuple(name for name in dir(psycopg.errors.Diagnostic) if not name.startswith("_"))


def everything_of(error: BaseException) -> str:
    """Return traceback, texts and attributes of an error and of all it came from.

    Locals are left out: whoever prints them prints every secret at work, of any program.
    """
    parts = ["".join(traceback.format_exception(error))]
    for link in _chain(error):
        parts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        parts += getattr(link, "__notes__", [])
        if isinstance(link, psycopg.Error):
            parts += [str(getattr(link.diag, name)) for name in FIELDS]
    return "\n".join(parts)


def _chain(error: BaseException) -> Iterator[Any]:
    """Yield an error and its causes and contexts, the suppressed ones too."""
    ahead: list[BaseException] = [error]
    seen: set[int] = set()
    while ahead:
        link = ahead.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        ahead += [near for near in (link.__cause__, link.__context__) if near is not None]
