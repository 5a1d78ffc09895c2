"""How a stack's database is exported, and what of it may leave for research."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from haven.export.policy import Treatment
from haven.stack.section import Section

Named = Annotated[str, StringConstraints(min_length=3, max_length=200)]


class Deidentified(Section):
    """The export for research: what is done with each column. A column without a policy stays out."""

    hash_key: Annotated[str, StringConstraints(max_length=512)] = Field(
        "",
        description="Name or ARN of the secret whose 'key' entry keys the hashes: 32 bytes or more "
        "in hexadecimal.",
    )
    columns: dict[Named, dict[str, Treatment]] = Field(
        default_factory=dict,
        description="By table as schema.table, and column: keep, hash, year or drop.",
    )

    @model_validator(mode="after")
    def _has_a_key_for_hashes(self) -> Self:
        hashed = [
            f"{table}.{column}"
            for table, policy in self.columns.items()
            for column, treatment in policy.items()
            if treatment is Treatment.HASH
        ]
        if hashed and not self.hash_key:
            raise ValueError(
                f"hash_key must name a secret, since {hashed[0]} is to be hashed: a hash without a "
                "key is undone by trying every value"
            )
        return self


class Export(Section):
    """The weekly export."""

    way: Literal["logical", "snapshot"] = Field(
        "logical",
        description="logical: read from a replica, loads back. snapshot: made by RDS of a snapshot.",
    )
    workers: int = Field(2, ge=1, le=64, description="How many tables are read at a time.")
    piece_gib: float = Field(
        4, gt=0, le=32, description="Larger tables are read in pieces of this size, each an object."
    )
    proof_gib: float = Field(
        5,
        gt=0,
        le=10,
        description="How much of an export is loaded back to prove it; the scratch instance has 20.",
    )
    as_text: tuple[Named, ...] = Field(
        (),
        description="Columns as schema.table.column that are kept as text, such as one with "
        "moments after the year 294246, which Parquet has no room for.",
    )
    deidentified: Deidentified = Deidentified()
