"""KMS: rotation periods, keys that are disabled or being deleted, policies, replicas."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms import models
from moto.kms.models import KmsBackend, kms_backends
from moto.kms.responses import KmsResponse
from moto.kms.utils import generate_private_key

from localcloud.corrections import urls

_PERIODS = range(90, 2561)
_DEFAULT_PERIOD = 365


def _error(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(code, message)


def _check_policy(policy: str | None) -> None:
    if policy is None:
        return
    try:
        parsed = json.loads(policy)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or "Statement" not in parsed:
        raise _error(
            "MalformedPolicyDocumentException",
            "The request was rejected because the key policy is not syntactically or "
            "semantically correct.",
        )


class Keys(KmsBackend):  # type: ignore[misc]  # moto has no types
    """moto's keys, with the rules of AWS where moto's differ."""

    @property
    def _url_module(self) -> Any:
        return urls.of("kms", Responses)

    def require_usable(self, key_id: str) -> None:
        """Raise what AWS raises for a key that is not enabled."""
        key = self.describe_key(key_id)
        if key.key_state == "Disabled":
            raise _error("DisabledException", f"{key.arn} is disabled.")
        if key.key_state != "Enabled":
            raise _error("KMSInvalidStateException", f"{key.arn} is pending deletion.")

    def encrypt(self, key_id: str, *args: Any, **named: Any) -> Any:
        """Refuse a key that is not enabled."""
        self.require_usable(key_id)
        return super().encrypt(key_id, *args, **named)

    def decrypt(self, *args: Any, **named: Any) -> Any:
        """Refuse a key that is not enabled."""
        plaintext, arn = super().decrypt(*args, **named)
        self.require_usable(arn)
        return plaintext, arn

    def generate_data_key(self, key_id: str, *args: Any, **named: Any) -> Any:
        """Refuse a key that is not enabled."""
        self.require_usable(key_id)
        return super().generate_data_key(key_id, *args, **named)

    def create_key(self, policy: str | None, *args: Any, **named: Any) -> Any:
        """Refuse a malformed policy."""
        _check_policy(policy)
        return super().create_key(policy, *args, **named)

    def put_key_policy(self, key_id: str, policy: str) -> None:
        """Refuse a malformed policy."""
        _check_policy(policy)
        super().put_key_policy(key_id, policy)

    def disable_key(self, key_id: str) -> None:
        """Know the key by its ARN too."""
        super().disable_key(self.get_key_id(key_id))

    def enable_key(self, key_id: str) -> None:
        """Know the key by its ARN too."""
        super().enable_key(self.get_key_id(key_id))

    def schedule_key_deletion(self, key_id: str, pending_window_in_days: int) -> Any:
        """Know the key by its ARN too."""
        return super().schedule_key_deletion(self.get_key_id(key_id), pending_window_in_days)

    def cancel_key_deletion(self, key_id: str) -> None:
        """Know the key by its ARN too."""
        super().cancel_key_deletion(self.get_key_id(key_id))

    def replicate_key(self, key_id: str, replica_region: str) -> Any:
        """Only a multi-region key is replicated, and once per region."""
        key = self.describe_key(key_id)
        if not key.multi_region:
            raise _error("UnsupportedOperationException", f"{key.arn} is not a multi-region key.")
        if key.id in kms_backends[self.account_id][replica_region].keys:
            raise _error("AlreadyExistsException", f"{key.id} already exists in {replica_region}.")
        replica = super().replicate_key(key.id, replica_region)
        # moto copies the key and leaves these to both.
        replica.multi_region_configuration = {
            **key.multi_region_configuration,
            "MultiRegionKeyType": "REPLICA",
        }
        replica.grants = {}
        return replica


class Responses(KmsResponse):  # type: ignore[misc]  # moto has no types
    """The answers about rotation, with their period, and those about replicas."""

    def replicate_key(self) -> str:
        """Description, policy and tags are the replica's own."""
        policy = self._get_param("Policy")
        _check_policy(policy)
        answer = json.loads(super().replicate_key())
        name = answer["ReplicaKeyMetadata"]["KeyId"]
        region = self._get_param("ReplicaRegion")
        there = kms_backends[self.current_account][region]
        replica = there.keys[name]
        replica.description = self._get_param("Description") or ""
        replica.policy = policy or replica.generate_default_policy()
        tags = self._get_param("Tags") or []
        there.tagger.tag_resource(name, tags)
        answer["ReplicaKeyMetadata"] = replica.to_dict()["KeyMetadata"]
        return json.dumps({**answer, "ReplicaPolicy": replica.policy, "ReplicaTags": tags})

    def enable_key_rotation(self) -> str:
        """Keep the period, which is 90 to 2560 days."""
        key_id = self._get_param("KeyId")
        self._validate_cmk_id(key_id)
        period = int(self._get_param("RotationPeriodInDays") or _DEFAULT_PERIOD)
        if period not in _PERIODS:
            raise _error("ValidationException", f"RotationPeriodInDays {period} is not 90-2560.")
        self.kms_backend.enable_key_rotation(key_id)
        self.kms_backend.describe_key(key_id).rotation_period = period
        return "null"

    def get_key_rotation_status(self) -> str:
        """Tell the period and the next date along with the state."""
        key_id = self._get_param("KeyId")
        self._validate_cmk_id(key_id)
        key = self.kms_backend.describe_key(key_id)
        answer: dict[str, Any] = {
            "KeyId": key.id,
            "KeyRotationEnabled": self.kms_backend.get_key_rotation_status(key_id),
        }
        if answer["KeyRotationEnabled"]:
            period = getattr(key, "rotation_period", _DEFAULT_PERIOD)
            answer["RotationPeriodInDays"] = period
            following = dt.datetime.now(dt.UTC) + dt.timedelta(days=period)
            answer["NextRotationDate"] = following.timestamp()
        return json.dumps(answer)

    def schedule_key_deletion(self) -> str:
        """Tell the state and the window along with the date."""
        key_id = self._get_param("KeyId")
        key = self.kms_backend.describe_key(key_id)
        if key.key_state == "PendingDeletion":
            raise _error("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        answer = json.loads(super().schedule_key_deletion())
        answer["KeyState"] = "PendingDeletion"
        answer["PendingWindowInDays"] = int(self._get_param("PendingWindowInDays") or 30)
        return json.dumps(answer)


def _private_key(key_spec: str) -> Any:
    """Return a private key for an asymmetric spec alone: a slow thing to make for nothing."""
    asymmetric = key_spec.startswith(("RSA_", "ECC_"))
    return generate_private_key(key_spec) if asymmetric else None


def attach() -> None:
    """Make moto use the corrected backend."""
    kms_backends.backend = Keys
    models.generate_private_key = _private_key
