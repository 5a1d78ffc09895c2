"""Whether an instance may be deleted: only a scratch copy that this stack made for a verification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from haven.stack import names
from haven.stack.model import Stack

ROLE = "scratch"
TAG_RUN = "haven:run"
TAG_KEEP = "haven:keep-until"
# Nothing else of a stack is named so.
_NAME = "{prefix}-scratch-[0-9a-f]{{8}}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance as RDS describes it right before it would be deleted."""

    name: str
    arn: str
    resource_id: str
    status: str
    created: datetime | None
    tags: Mapping[str, str]
    protected: bool = False
    source: str = ""
    replicas: tuple[str, ...] = ()
    proxied: bool = False
    backup_days: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """What a run knows of the instance that it made. A later run knows only what its tags say."""

    name: str
    region: str
    resource_id: str = ""
    since: datetime | None = None


def scratch_name(stack: Stack, mark: str) -> str:
    """Return the name of a scratch instance; ``mark`` is eight hexadecimal digits."""
    return f"{stack.prefix}-scratch-{mark}"


def is_scratch_name(stack: Stack, name: str) -> bool:
    """Tell whether a name is one of a scratch instance of the stack."""
    return re.fullmatch(_NAME.format(prefix=re.escape(stack.prefix)), name) is not None


def why_not_delete(stack: Stack, found: Candidate, made: Made) -> list[str]:
    """Return every reason why an instance must not be deleted; none for one's own scratch copy."""
    arn = names.rds_arn(stack, made.region, "db", found.name)
    wanted_tags = names.tags(stack, ROLE)
    reasons = {
        f"its name {found.name} is not that of a scratch copy": is_scratch_name(stack, found.name),
        f"it is not {made.name}": found.name == made.name,
        f"its ARN {found.arn} is of another account or region": found.arn == arn,
        "its tags are not those of a scratch copy of this stack": all(
            found.tags.get(key) == value for key, value in wanted_tags.items()
        ),
        "it bears no mark of the run that made it": bool(found.tags.get(TAG_RUN)),
        f"its resource id {found.resource_id} is not {made.resource_id}": made.resource_id
        in ("", found.resource_id),
        "it is older than the run that made it": not made.since
        or (found.created is None or found.created >= made.since),
        "it is protected from deletion": not found.protected,
        f"it is a replica of {found.source}": not found.source
        or is_scratch_name(stack, found.source),
        f"it has replicas: {', '.join(found.replicas)}": not found.replicas,
        "a proxy leads to it": not found.proxied,
        f"it has automated backups of {found.backup_days} days": not found.backup_days,
    }
    return [reason for reason, fine in reasons.items() if not fine]


def is_kept(found: Candidate, now: datetime) -> bool:
    """Tell whether somebody wants a scratch copy to stay for now; what cannot be read keeps it."""
    text = found.tags.get(TAG_KEEP, "")
    if not text:
        return False
    try:
        return datetime.fromisoformat(text) > now
    except (TypeError, ValueError):
        return True
