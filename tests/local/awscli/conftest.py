"""A local cloud of its own, so that what awscli makes is all there is."""

from tests.local.localcloud.conftest import cloud, name

__all__ = ["cloud", "name"]
