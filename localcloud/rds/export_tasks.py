"""Exports of snapshots to S3: none can be started here, so there are none."""

from __future__ import annotations

from localcloud.rds.operations import Answer, Call, operation


@operation("DescribeExportTasks")
def describe_export_tasks(_call: Call) -> Answer:
    """Return the export tasks of the region."""
    return {"ExportTasks": []}
