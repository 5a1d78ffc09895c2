"""A reset lets go of everything, so that a local cloud can be reset for days."""

from __future__ import annotations

import gc
import weakref

import pytest

pytest.importorskip("moto")

from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from localcloud.attachment import forget_backends
from localcloud.settings import ACCOUNT

PLACES = {
    "ec2": (ec2_backends, "us-east-1"),
    "kms": (kms_backends, "us-east-1"),
    "s3": (s3_backends, "aws"),
}


@pytest.mark.parametrize("service", PLACES)
def test_a_reset_keeps_no_backend_alive(service: str) -> None:
    backends, place = PLACES[service]
    kept = weakref.ref(backends[ACCOUNT][place])
    assert kept() is not None
    forget_backends()
    gc.collect()
    assert kept() is None


def test_a_subnet_that_gave_out_an_address_goes_too() -> None:
    networks = ec2_backends[ACCOUNT]["us-east-1"]
    vpc = networks.create_vpc("10.9.0.0/16")
    subnet = networks.create_subnet(vpc.id, "10.9.0.0/24", "us-east-1a")
    assert subnet.get_available_subnet_ip(networks)
    kept = weakref.ref(subnet)
    del networks, vpc, subnet
    forget_backends()
    gc.collect()
    assert kept() is None
