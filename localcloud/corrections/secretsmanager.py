"""Secrets Manager: version stages, immutable versions, scheduled deletion, rotation, dates."""

from __future__ import annotations

import json
import time
from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException, ResourceExistsException
from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends

from localcloud.corrections import secretsmanager_replicas, urls
from localcloud.corrections.secretsmanager_replicas import keep_keys

_CURRENT = "AWSCURRENT"


class Secrets(SecretsManagerBackend):  # type: ignore[misc]  # moto has no types
    """moto's secrets, with the rules of AWS where moto's differ."""

    @property
    def _url_module(self) -> Any:
        return urls.of("secretsmanager", secretsmanager_replicas.Responses)

    def put_secret_value(
        self,
        secret_id: str,
        secret_string: str | None,
        secret_binary: Any,
        client_request_token: str,
        version_stages: list[str],
    ) -> Any:
        """A version is immutable, and a secret on its way out takes none."""
        secret = self.secrets.get(secret_id) if secret_id in self.secrets else None
        if secret is not None and secret.is_deleted():
            raise InvalidRequestException(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        have = secret.versions.get(client_request_token) if secret is not None else None
        if secret is not None and have is not None:
            if (have.get("secret_string"), have.get("secret_binary")) == (
                secret_string,
                secret_binary,
            ):
                return secret.to_short_dict(
                    include_version_stages=True, version_id=client_request_token
                )
            raise ResourceExistsException(
                f"You can't use ClientRequestToken {client_request_token} because that value is "
                f"already in use for a version of secret {secret.arn}."
            )
        answer = super().put_secret_value(
            secret_id, secret_string, secret_binary, client_request_token, version_stages
        )
        _date(self.secrets[secret_id], client_request_token)
        return answer

    def create_secret(self, name: str, *args: Any, **named: Any) -> Any:
        """A name is taken as long as its secret is only scheduled for deletion."""
        if name in self.secrets and self.secrets[name].is_deleted():
            raise InvalidRequestException(
                "You can't create this secret because a secret with this name is already "
                "scheduled for deletion."
            )
        answer = super().create_secret(name, *args, **named)
        keep_keys(self.secrets[name], named.get("replica_regions") or ())
        for version in self.secrets[name].versions:
            _date(self.secrets[name], version)
        return answer

    def replicate_secret_to_regions(
        self, secret_id: str, replica_regions: list[dict[str, str]], *args: Any, **named: Any
    ) -> Any:
        """Each replica with the key that it was asked to have."""
        answer = super().replicate_secret_to_regions(secret_id, replica_regions, *args, **named)
        keep_keys(self.secrets[secret_id], replica_regions)
        return answer

    def update_secret_version_stage(self, secret_id: str, *args: Any, **named: Any) -> Any:
        """What is read by default is always the version that bears AWSCURRENT."""
        answer = super().update_secret_version_stage(secret_id, *args, **named)
        secret = self.secrets[secret_id]
        for version, facts in secret.versions.items():
            if _CURRENT in facts["version_stages"]:
                secret.set_default_version_id(version)
        return answer

    def list_secret_version_ids(self, secret_id: str) -> str:
        """Each version with the date it was made."""
        answer = json.loads(super().list_secret_version_ids(secret_id))
        versions = self.secrets[secret_id].versions
        for item in answer["Versions"]:
            item["CreatedDate"] = versions[item["VersionId"]]["createdate"]
        return json.dumps(answer)

    def rotate_secret(self, secret_id: str, *args: Any, **named: Any) -> Any:
        """Without a rotation function there is no rotation; with one it is not simulated."""
        secret = self.describe_secret(secret_id)
        if not named.get("rotation_lambda_arn") and not secret.rotation_lambda_arn:
            raise InvalidRequestException(
                "No Lambda rotation function ARN is associated with this secret."
            )
        raise NotImplementedError(f"RotateSecret by a function, {len(args)} more arguments")


def _date(secret: Any, version: str) -> None:
    """A version's date has milliseconds."""
    secret.versions[version]["createdate"] = round(time.time(), 3)


def attach() -> None:
    """Make moto use the corrected backend."""
    secretsmanager_backends.backend = Secrets
