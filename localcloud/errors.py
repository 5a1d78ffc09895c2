"""What can go wrong inside the local cloud itself, apart from the faults AWS would answer."""

from __future__ import annotations


class LocalCloudError(Exception):
    """The local cloud cannot do what it promises; the message says what to change."""


class ClusterError(LocalCloudError):
    """A PostgreSQL server did not start, stop, copy or answer."""
