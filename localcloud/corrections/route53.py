"""Route 53: a zone made with a VPC is private, whether or not it is called so."""

from __future__ import annotations

import types
from typing import Any

from moto.route53 import urls
from moto.route53.models import Route53Backend, route53_backends
from moto.route53.responses import Route53


class Zones(Route53Backend):  # type: ignore[misc]  # moto has no types
    """moto's hosted zones, with the answers below."""

    @property
    def _url_module(self) -> Any:
        paths = dict.fromkeys(urls.url_paths, Responses.dispatch)
        return types.SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)


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
