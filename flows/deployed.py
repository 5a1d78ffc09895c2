"""What Prefect deploys: each operation as a flow. The operations themselves import no Prefect.

A flow only chooses the engine, runs the operation and publishes its record as an artifact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.approval import ASK
from flows.check_heartbeat import CheckHeartbeatParameters, CheckHeartbeatReport
from flows.check_heartbeat import check_heartbeat as check_heartbeat_operation
from flows.diagnose import DiagnoseParameters, DiagnoseReport
from flows.diagnose import diagnose as diagnose_operation
from flows.engine import PrefectEngine
from flows.export_models import ExportParameters, ExportReport
from flows.frame import PUBLISH, Run, open_run
from flows.housekeeping import housekeeping as housekeeping_operation
from flows.housekeeping_models import HousekeepingParameters, HousekeepingReport
from flows.migrate import MigrateParameters, MigrateReport
from flows.migrate import migrate as migrate_operation
from flows.models import Parameters, Report
from flows.prefect_approval import ask
from flows.promote_replica import promote_replica as promote_operation
from flows.promotion_models import PromoteParameters, PromoteReport
from flows.provision import ProvisionParameters, ProvisionReport
from flows.provision import provision as provision_operation
from flows.rotate_credentials import RotateParameters
from flows.rotate_credentials import rotate_credentials as rotate_operation
from flows.rotation_report import RotateReport
from flows.verification_models import VerifyParameters, VerifyReport
from flows.verify_backup import verify_backup as verify_operation
from flows.weekly_export import weekly_export as export_operation
from haven import evidence
from haven.settings import load_settings
from tasks.kinds import ENGINE

P = TypeVar("P", bound=Parameters)
R = TypeVar("R", bound=Report)


@flow(name="provision", persist_result=False)
def provision(
    stack: str = "local", parameters: ProvisionParameters | None = None
) -> ProvisionReport:
    """Bring a stack from what exists to what its file says, and prove it.

    Args:
        stack: Name of a stack file.
        parameters: What the run may do.

    """
    return _under_prefect(provision_operation, stack, parameters or ProvisionParameters())


@flow(name="migrate", persist_result=False)
def migrate(stack: str = "local", parameters: MigrateParameters | None = None) -> MigrateReport:
    """Apply the schema files that the database does not have yet.

    Args:
        stack: Name of a stack file.
        parameters: What the run may do.

    """
    return _under_prefect(migrate_operation, stack, parameters or MigrateParameters())


@flow(name="rotate-credentials", persist_result=False)
def rotate_credentials(
    stack: str = "local", parameters: RotateParameters | None = None
) -> RotateReport:
    """Give credentials new passwords, while applications go on logging in.

    Args:
        stack: Name of a stack file.
        parameters: What the run may do.

    """
    return _under_prefect(rotate_operation, stack, parameters or RotateParameters())


@flow(name="verify-backup", persist_result=False)
def verify_backup(stack: str = "local", parameters: VerifyParameters | None = None) -> VerifyReport:
    """Restore a backup, prove what it holds, and remove the copy.

    Args:
        stack: Name of a stack file.
        parameters: Which backup, and how much of it.

    """
    return _under_prefect(verify_operation, stack, parameters or VerifyParameters())


@flow(name="weekly-export", persist_result=False)
def weekly_export(stack: str = "local", parameters: ExportParameters | None = None) -> ExportReport:
    """Export the database into S3, read it back, and write its manifest.

    Args:
        stack: Name of a stack file.
        parameters: Which variant, and how much of it is read back.

    """
    return _under_prefect(export_operation, stack, parameters or ExportParameters())


@flow(name="check-heartbeat", persist_result=False)
def check_heartbeat(
    stack: str = "local", parameters: CheckHeartbeatParameters | None = None
) -> CheckHeartbeatReport:
    """See that the heartbeat is written, and how far each replica is behind it.

    Args:
        stack: Name of a stack file.
        parameters: How the run ends.

    """
    return _under_prefect(
        check_heartbeat_operation, stack, parameters or CheckHeartbeatParameters()
    )


@flow(name="diagnose", persist_result=False)
def diagnose(stack: str = "local", parameters: DiagnoseParameters | None = None) -> DiagnoseReport:
    """Say what is wrong with the database and its instances, and what cures it.

    Args:
        stack: Name of a stack file.
        parameters: How the run ends.

    """
    return _under_prefect(diagnose_operation, stack, parameters or DiagnoseParameters())


@flow(name="housekeeping", persist_result=False)
def housekeeping(
    stack: str = "local", parameters: HousekeepingParameters | None = None
) -> HousekeepingReport:
    """Make what will be missing, remove what has had its time, and say what it all costs.

    Args:
        stack: Name of a stack file.
        parameters: What the run may do.

    """
    return _under_prefect(housekeeping_operation, stack, parameters or HousekeepingParameters())


@flow(name="promote-replica", persist_result=False)
def promote_replica(
    stack: str = "local", parameters: PromoteParameters | None = None
) -> PromoteReport:
    """Make a replica the primary: a switch-over that loses nothing, or an emergency.

    Args:
        stack: Name of a stack file.
        parameters: In which way, which replica, and what a person has agreed to.

    """
    return _under_prefect(promote_operation, stack, parameters or PromoteParameters())


def _under_prefect(operation: Callable[[Run, P], R], stack: str, parameters: P) -> R:
    logger = get_run_logger()
    engine, publish, asking = ENGINE.set(PrefectEngine()), PUBLISH.set(_publish), ASK.set(ask)
    try:
        run = open_run(load_settings(stack=stack), progress=logger.info)
        return operation(run, parameters)
    finally:
        ENGINE.reset(engine)
        PUBLISH.reset(publish)
        ASK.reset(asking)


def _publish(record: Mapping[str, Any]) -> None:
    create_markdown_artifact(
        key=f"{record['operation']}-{record['stack']}",
        markdown=evidence.markdown(record),
        description=f"{record['operation']} of {record['stack']}: {record['outcome']}",
    )
