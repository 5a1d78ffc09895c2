"""Where the local cloud meets moto: what is replaced, what is warmed up, what a reset clears."""

from __future__ import annotations

from moto.core.base_backend import BackendDict
from moto.ec2.models import ec2_backends

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
    for service in (
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
    ):
        service.attach()


def warm(regions: tuple[str, ...]) -> None:
    """Make what the first call in a region would otherwise wait for: its default VPC."""
    for region in regions:
        ec2_backends[ACCOUNT][region].describe_subnets()


def clear(runtime: Runtime) -> None:
    """Stop every cluster and forget all state of all services."""
    runtime.latency.stop()
    runtime.lifecycle.settle(30)
    for instances in _instances(runtime):
        instances.clear()
    runtime.discard_all()
    BackendDict.reset()
    runtime.post.clear()
    runtime.calls.clear()
    runtime.faults.clear()
    runtime.latency.resume()


def _instances(runtime: Runtime) -> list[dict[str, Instance]]:
    from moto.rds.models import rds_backends  # noqa: PLC0415  # beside its only use

    with runtime.lock:
        return [
            home.instances
            for account in rds_backends.values()
            for home in account.values()
            if isinstance(home, Home)
        ]
