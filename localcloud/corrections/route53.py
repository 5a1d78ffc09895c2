"""Route 53: a zone with a VPC is private, called so or not; a caller's reference counts once."""

from __future__ import annotations

import types
from typing import Any

from moto.route53 import urls
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend, route53_backends
from moto.route53.responses import Route53


class HostedZoneExistsError(Route53ClientError):  # type: ignore[misc]  # moto has no types
    """The answer to a reference that was used."""

    code = 409

    def __init__(self) -> None:
        super().__init__(
            "HostedZoneAlreadyExists",
            "A hosted zone has already been created with the specified caller reference.",
        )


class Zones(Route53Backend):  # type: ignore[misc]  # moto has no types
    """moto's hosted zones, with the answers below."""

    def create_hosted_zone(
        self, name: str, private_zone: bool, caller_reference: str | None = None, **more: Any
    ) -> Any:
        """Refuse a reference that another zone was made with."""
        if any(zone.caller_reference == caller_reference for zone in self.zones.values()):
            raise HostedZoneExistsError
        return super().create_hosted_zone(name, private_zone, caller_reference, **more)

    @property
    def _url_module(self) -> Any:
        paths = dict.fromkeys(urls.url_paths, Responses.dispatch)
        return types.SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)

    def associate_vpc_with_hosted_zone(self, zone_id: str, vpcid: str, vpcregion: str) -> Any:
        """A network that sees the zone already is not listed twice."""
        zone = self.get_hosted_zone(zone_id)
        if any(known["vpc_id"] == vpcid for known in zone.vpcs):
            return zone
        return super().associate_vpc_with_hosted_zone(zone_id, vpcid, vpcregion)


class Responses(Route53):  # type: ignore[misc]  # moto has no types
    """The answer to the making of a zone."""

    def create_hosted_zone(self) -> Any:
        """Take the VPC for the sign of a private zone, as AWS does."""
        if self._get_param("VPC.VPCId"):
            self.params.setdefault("HostedZoneConfig", {})["PrivateZone"] = True
        return super().create_hosted_zone()


def attach() -> None:
    """Make moto use the corrected backend."""
    route53_backends.backend = Zones
