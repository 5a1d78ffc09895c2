"""How long properties are tried: a little by default and always the same, at length at night."""

import os

from hypothesis import settings

settings.register_profile(
    "default", max_examples=80, derandomize=True, deadline=None, database=None
)
settings.register_profile("nightly", max_examples=1200, deadline=None, print_blob=True)
settings.load_profile(os.getenv("HYPOTHESIS_PROFILE", "default"))  # noqa: TID251  # of the tests
