"""What every table of a stack file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the stack file: unknown entries are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
