"""What can go wrong, in five sorts.

    HavenError
    ├── InvalidRequest   the input is wrong; nothing was touched
    ├── Refused          a guard said no; nothing was touched
    ├── Conflict         something else owns the name, the lock or the place
    ├── Unavailable      the world was not ready; run again and it resumes
    └── Failed           it cannot succeed without a person

A message says what happened and on which resource; ``left`` says what state things were
left in, and ``cure`` what to do next.
"""

from __future__ import annotations


class HavenError(Exception):
    """An error a person can act on.

    ``what`` is one sentence naming the resource, ``left`` the state that was left behind,
    ``cure`` the next step. None of them ever holds a secret.
    """

    resumable: bool = False

    def __init__(self, what: str, *, left: str = "", cure: str = "") -> None:
        """Join the three parts into one paragraph."""
        self.what = what
        self.left = left
        self.cure = cure
        super().__init__(" ".join(part for part in (what, left, cure) if part))

    @property
    def kind(self) -> str:
        """The sort of error, as reports and evidence name it."""
        return type(self).__name__


class InvalidRequest(HavenError):
    """The input is wrong: the message names the field, the value and what would be right."""


class Refused(HavenError):
    """A guard forbids it."""


class Conflict(HavenError):
    """Somebody else holds the name, the lock or the place."""


class Unavailable(HavenError):
    """Transient: the same command, run again, resumes."""

    resumable = True


class Failed(HavenError):
    """It will not succeed by itself."""
