"""The command line: parse, import one operation late, print."""

from __future__ import annotations

from haven.cli.app import main

__all__ = ["main"]
