"""Where the local cloud meets moto: what is replaced, what is warmed up, what a reset clears."""

from __future__ import annotations

from moto.core.base_backend import BackendDict, BaseBackend, backend_lock
from moto.core.model_instances import reset_model_data
from moto.ec2.models import ec2_backends
from moto.ec2.models.subnets import Subnet

from localcloud.corrections import (
    cloudwatch,
    ec2,
    error_tables,
    iam,
    kms,
    logs,
    paging,
    route53,
    s3,
    s3_creation,
    s3_policy,
    s3_replication,
    secretsmanager,
    sns,
)
from localcloud.rds import backend
from localcloud.rds.backend import Home
from localcloud.rds.instance import Instance
from localcloud.runtime import Runtime
from localcloud.settings import ACCOUNT


def attach(runtime: Runtime) -> None:
    """Put the local cloud's own parts in place. Call before the first request."""
    backend.attach(runtime)
    cloudwatch.attach(runtime.clock)
    sns.attach(runtime.post)
    s3.attach(runtime)
    for service in (
        ec2,
        error_tables,
        iam,
        kms,
        logs,
        paging,
        route53,
        s3_creation,
        s3_policy,
        s3_replication,
        secretsmanager,
    ):
        service.attach()


def warm(regions: tuple[str, ...]) -> None:
    """Make what the first call in a region would otherwise wait for: its default VPC."""
    for region in regions:
        ec2_backends[ACCOUNT][region].describe_subnets()


def clear(runtime: Runtime) -> None:
    """Stop every cluster and forget all state of all services."""
    runtime.restore_faults.release()
    runtime.latency.stop()
    runtime.lifecycle.settle(30)
    for instances in _instances(runtime):
        instances.clear()
    runtime.discard_all()
    forget_backends()
    runtime.forget_backups()
    runtime.post.clear()
    runtime.calls.clear()
    runtime.faults.clear()
    runtime.latency.resume()


def forget_backends() -> None:
    """Let go of all that moto keeps.

    moto's own reset makes every backend anew before it lets go of it, which takes a second, and
    leaves its list of everything that was ever made.
    """
    with backend_lock:
        for service in BackendDict._instances:  # noqa: SLF001  # as its own reset does
            for regions in service.values():
                for found in regions.values():
                    if type(found).reset is not BaseBackend.reset:
                        found.reset()
                regions.clear()
            service.clear()
        BackendDict._instances.clear()  # noqa: SLF001  # as above
    reset_model_data()
    Subnet._base_avail_ip_iterator.cache_clear()  # noqa: SLF001  # holds every subnet for good


def _instances(runtime: Runtime) -> list[dict[str, Instance]]:
    from moto.rds.models import rds_backends  # noqa: PLC0415  # beside its only use

    with runtime.lock:
        return [
            home.instances
            for account in rds_backends.values()
            for home in account.values()
            if isinstance(home, Home)
        ]
