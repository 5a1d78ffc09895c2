"""What goes into an export, and what it reports."""

from __future__ import annotations

from pydantic import Field

from flows.models import Parameters, Report
from haven.export.manifest import Variant
from haven.export.proof import ReadBack


class ExportParameters(Parameters):
    """What an export does."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Read the catalogue, change nothing, say what would be exported.",
        json_schema_extra={"position": 1},
    )
    variant: Variant = Field(
        Variant.FULL,
        title="Variant",
        description="full: everything, as it is. deidentified: what the column policy of the stack "
        "lets out, for research.",
        json_schema_extra={"position": 2},
    )
    name: str = Field(
        "",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
        title="Name",
        description="What the export is called. Empty: its week, as in 2026-W05, so that there is one "
        "a week. A run resumes the unfinished export of its name.",
        json_schema_extra={"position": 3},
    )
    read_back: ReadBack = Field(
        ReadBack.SAMPLE,
        title="Read back",
        description="What is loaded into a scratch instance to prove it: a sample, or everything.",
        json_schema_extra={"position": 4},
    )
    seed: int = Field(
        0,
        ge=0,
        title="Seed",
        description="The same seed chooses the same sample; 0: the day decides.",
        json_schema_extra={"position": 5},
    )


class ExportReport(Report):
    """Report of an export."""

    variant: Variant
    manifest: str = Field("", description="Where the manifest is; empty in a dry run.")
    sha256: str = Field("", description="SHA-256 of the manifest.")
    tables: int = 0
    rows: int = 0
    bytes: int = Field(0, description="In S3, compressed.")
    kept: list[str] = Field(
        default_factory=list, description="Tables that an earlier run had finished, not read again."
    )
    loaded_back: list[str] = Field(
        default_factory=list, description="Tables that were loaded and are equal by fingerprint."
    )
    left: dict[str, str] = Field(
        default_factory=dict, description="Tables that are not in it, and why."
    )
