"""The stacks of the provision tests, for taking them over."""

from tests.local.provision.conftest import place

__all__ = ["place"]
