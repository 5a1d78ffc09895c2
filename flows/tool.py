"""Which Haven is at work."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def tool_version() -> str:
    """Return the version of Haven that is installed."""
    try:
        return version("haven")
    except PackageNotFoundError:
        return "not installed"
