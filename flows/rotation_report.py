"""What a rotation reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from flows.models import Report
from haven.credentials.schedule import Turn
from tasks.role_sessions import Client


class Sessions(BaseModel):
    """Sessions of a role by one client in one state."""

    server: str
    application: str
    address: str
    state: str
    count: int


class Rotation(BaseModel):
    """What became of one credential."""

    credential: str
    role: str = Field(description="The role whose password was replaced.")
    turn: Turn
    before: str = Field("", description="Identifier of the version that was current.")
    after: str = Field("", description="Identifier of the version that is current now.")
    steps: list[str] = Field(default_factory=list, description="Steps that this run took.")
    tested: list[str] = Field(
        default_factory=list, description="Endpoints that the new password opened."
    )
    tried: str = Field("", description="What the role read, and wrote and rolled back.")
    refused: list[str] = Field(
        default_factory=list, description="Endpoints that refused the old password."
    )
    left: str = Field("", description="The role that the pointer left.")
    sessions_before: list[Sessions] = Field(
        default_factory=list, description="Who was logged in as the role that was left."
    )
    sessions_after: list[Sessions] = Field(default_factory=list)
    ended: int = Field(0, description="Sessions that were met when the role's were ended.")
    seconds: float = Field(0.0, description="Wall time, waiting for applications left out.")

    def sentence(self) -> str:
        """Say it the way the command line prints it."""
        words = [f"{self.credential}: {self.role} has a new password"]
        if not self.steps:
            words = [f"{self.credential}: {self.role} is used again"]
        words.append(f"it works through {len(self.tested)} endpoints")
        if self.refused:
            words.append(f"the old one is refused by {len(self.refused)}")
        if self.turn is Turn.MOVE and self.left:
            count = sum(item.count for item in self.sessions_after)
            words.append(f"the pointer left {self.left}, which has {count} sessions")
        if self.ended:
            words.append(f"{self.ended} sessions were ended")
        return ", ".join(words)


class RotateReport(Report):
    """What a rotation found due, did and proved."""

    made_before: datetime | None = Field(
        None,
        description="Passwords made before were due. A run that was killed is resumed with it.",
    )
    rotations: list[Rotation] = Field(default_factory=list)
    postponed: dict[str, datetime] = Field(
        default_factory=dict, description="What is due and must wait, and until when."
    )


def told(report: RotateReport) -> list[str]:
    """Say what became of each credential, and what is left to a later run."""
    return [
        *(item.sentence() for item in report.rotations),
        *(
            f"{what} waits until {moment:%Y-%m-%d %H:%M:%S} UTC: applications may hold it"
            for what, moment in report.postponed.items()
        ),
    ]


def sessions(clients: Sequence[Client]) -> list[Sessions]:
    """Write sessions as reports show them."""
    return [
        Sessions(
            server=item.server,
            application=item.application,
            address=item.address,
            state=item.state,
            count=item.count,
        )
        for item in clients
    ]


def counted(clients: Sequence[Client]) -> int:
    """Return how many sessions that are."""
    return sum(item.count for item in clients)


def timed(rotate: Callable[[], Rotation]) -> Rotation:
    """Rotate, and note how long that took."""
    begin = time.monotonic()
    rotation = rotate()
    rotation.seconds = round(time.monotonic() - begin, 3)
    return rotation
