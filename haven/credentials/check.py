"""What is wrong with a stack's credentials, told from their versions, roles and login trials."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
# A rotation takes minutes; one that is pending for longer was left behind.
PENDING_FOR = timedelta(hours=1)


class Trouble(StrEnum):
    """What can be wrong."""

    NO_SECRET = "no-secret"  # noqa: S105  # the name of a finding
    NO_ROLE = "no-role"
    MALFORMED = "malformed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    DELETION = "to-be-deleted"
    ROTATED_ELSEWHERE = "rotated-elsewhere"
    PENDING_LEFT = "pending-left"
    UNUSED_VERSIONS = "unused-versions"
    OVERDUE = "overdue"


# What keeps nobody out, and is told for somebody to tidy up.
NOTES = frozenset({Trouble.UNUSED_VERSIONS, Trouble.OVERDUE})


class Trial(StrEnum):
    """How a login with the current version went."""

    WORKS = "works"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret: its stages and its age, never its content."""

    id: str
    stages: frozenset[str]
    created: datetime


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret of a login. ``wrong`` says what its current content lacks, the password apart.

    ``rotated_by`` names another rotator: a function of Secrets Manager, or a service of AWS.
    """

    secret: str
    role: str
    versions: tuple[Version, ...]
    arn: str = ""
    wrong: str = ""
    rotated_by: str = ""
    deleted: datetime | None = None

    @property
    def current(self) -> Version | None:
        """The version that applications read."""
        return self.bearing(CURRENT)

    @property
    def since(self) -> datetime | None:
        """When the current version was made."""
        return self.current.created if self.current else None

    def bearing(self, stage: str) -> Version | None:
        """Return the version that bears a stage; each is on one version at most."""
        return next((item for item in self.versions if stage in item.stages), None)

    def version(self, identifier: str) -> Version | None:
        """Return a version by its identifier."""
        return next((item for item in self.versions if item.id == identifier), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, of which secret or role, and what to do."""

    trouble: Trouble
    subject: str
    text: str
    cure: str

    @property
    def is_note(self) -> bool:
        """Tell whether nobody is kept out by it."""
        return self.trouble in NOTES


def due(credential: Credential, days: int) -> datetime | None:
    """Return when a credential is as old as it may get."""
    return None if credential.since is None else credential.since + timedelta(days=days)


def findings(
    credentials: Sequence[Credential],
    roles: Collection[str],
    trials: Mapping[str, Trial],
    *,
    now: datetime,
    days: int,
) -> list[Finding]:
    """Return everything that is wrong.

    ``roles`` are those that can log in to the database, ``trials`` the logins that were tried, by
    secret, and ``days`` the age that a credential may have.
    """
    found = [
        finding
        for item in credentials
        for finding in _of_secret(item, roles, trials.get(item.secret), now, days)
    ]
    kept = {item.role for item in credentials}
    return found + [
        Finding(
            Trouble.NO_SECRET,
            role,
            "it can log in, and no secret of the stack holds its password",
            "Find out whose it is; then take LOGIN from it, or run provision where it is the stack's.",
        )
        for role in sorted(set(roles) - kept)
    ]


def _of_secret(
    item: Credential, roles: Collection[str], trial: Trial | None, now: datetime, days: int
) -> Iterator[Finding]:
    def finding(trouble: Trouble, text: str, cure: str) -> Finding:
        return Finding(trouble, item.secret, text, cure)

    if item.deleted is not None:
        text = f"it is deleted since {item.deleted:%Y-%m-%d}"
        yield finding(Trouble.DELETION, text, "Restore it with RestoreSecret.")
        return
    if item.wrong:
        yield finding(Trouble.MALFORMED, item.wrong, "Put its previous version back.")
    elif item.role not in roles:
        text = f"the database has no role {item.role} that can log in"
        yield finding(Trouble.NO_ROLE, text, "Run provision, which makes the stack's roles.")
    elif trial is Trial.REFUSED:
        text = f"the database refuses its password for {item.role}"
        yield finding(Trouble.REFUSED, text, "Run provision, which gives the role this password.")
    elif trial is Trial.UNREACHABLE:
        text = "no login could be tried"
        yield finding(Trouble.UNREACHABLE, text, "Look at the instance, then run this again.")
    if item.rotated_by:
        yield finding(
            Trouble.ROTATED_ELSEWHERE,
            f"{item.rotated_by} rotates it too",
            "Let one of them rotate: CancelRotateSecret ends that of Secrets Manager.",
        )
    yield from _of_versions(item, now, days)


def _of_versions(item: Credential, now: datetime, days: int) -> Iterator[Finding]:
    left = [
        version
        for version in item.versions
        if PENDING in version.stages
        and CURRENT not in version.stages
        and now - version.created > PENDING_FOR
    ]
    for version in left:
        yield Finding(
            Trouble.PENDING_LEFT,
            item.secret,
            f"version {version.id} is pending since {version.created:%Y-%m-%d %H:%M} UTC",
            "Let the rotation that made it finish, or take the stage AWSPENDING from it.",
        )
    unused = sum(not version.stages for version in item.versions)
    if unused:
        yield Finding(
            Trouble.UNUSED_VERSIONS,
            item.secret,
            f"versions of it without a stage: {unused}",
            "Nothing: Secrets Manager removes them.",
        )
    end = due(item, days)
    if end is not None and now > end:
        yield Finding(
            Trouble.OVERDUE,
            item.secret,
            f"its password is {(now - end).days + days} days old, and {days} are allowed",
            "Rotate it.",
        )
