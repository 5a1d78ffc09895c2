"""Secrets Manager: replicas keep a key of their own, and one can be made a secret of its own."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import FakeSecret, ReplicaSecret
from moto.secretsmanager.responses import SecretsManagerResponse


def keep_keys(secret: Any, wanted: Iterable[Mapping[str, str]]) -> None:
    """Remember the key that each replica was asked to have."""
    keys = {item["Region"]: item["KmsKeyId"] for item in wanted if item.get("KmsKeyId")}
    for replica in getattr(secret, "replicas", ()):
        replica.config["KmsKeyId"] = keys.get(replica.region, replica.config["KmsKeyId"])


def stand_alone(backend: Any, replica: Any) -> str:
    """Make a replica a secret of its own, with all that it shows; return its ARN."""
    if not isinstance(replica, ReplicaSecret):
        raise InvalidRequestException(
            "You can't stop replication: the secret is not a replica, it is the primary secret."
        )
    source = replica.source
    made = FakeSecret(
        account_id=backend.account_id,
        region_name=backend.region_name,
        secret_id=source.name,
        secret_version={},
        version_id=source.default_version_id,
        description=source.description,
        tags=copy.deepcopy(source.tags),
        kms_key_id=replica.config["KmsKeyId"],
        last_changed_date=source.last_changed_date,
        created_date=source.created_date,
    )
    made.arn = replica.arn
    made.versions = copy.deepcopy(source.versions)
    made.set_default_version_id(source.default_version_id)
    dict.pop(backend.secrets, replica.arn)
    backend.secrets[made.name] = made
    source.replicas.remove(replica)
    return str(made.arn)


class Responses(SecretsManagerResponse):  # type: ignore[misc]  # moto has no types
    """The answers, with those that moto lacks."""

    def stop_replication_to_replica(self) -> str:
        """The secret of this region goes on alone."""
        backend = self.backend
        replica = backend.describe_secret(self._get_param("SecretId"))
        return json.dumps({"ARN": stand_alone(backend, replica)})
