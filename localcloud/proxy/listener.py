"""A proxy's listener."""

from __future__ import annotations


class Listener:
    """Listens for clients of one proxy."""
