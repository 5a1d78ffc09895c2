"""Error shapes: moto reads those of a service anew for every error it answers; once is enough."""

from __future__ import annotations

from moto.core import errors


def attach() -> None:
    """Make moto keep the tables it has read."""
    kept = errors.ErrorLookupFactory()
    errors.ErrorLookupFactory = lambda: kept
