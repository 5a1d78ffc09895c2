"""AWS clients, the journal of every call, and error codes as our errors.

Retries have one owner per error code: botocore within a call, the step's decorator for a step.
Creates without a name or a token use a client that does not retry, since a time-out after the
effect would make a second resource.
"""

from __future__ import annotations

import gc
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    OperationNotPageableError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.loaders import Loader

from haven.answers import Fresh, refuse_part
from haven.errors import Conflict, Failed, HavenError, InvalidRequest, Refused, Unavailable
from haven.settings import Settings, is_loopback, without_user

READS = (
    "Describe",
    "Get",
    "List",
    "Head",
    "BatchGet",
    "Lookup",
    "Simulate",
)
ATTEMPTS = 8
# A local cloud has one address; these kinds of AWS endpoints may be set for others.
LOCAL_ENDPOINTS = {"use_fips_endpoint": False, "use_dualstack_endpoint": False}

# Service models are large: read once a process, whatever the number of sessions.
# Those of botocore only: a model in a home folder may send its calls elsewhere.
_MODELS = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)

# Which step is at work, so that the journal can tell whose call it was.
CURRENT_STEP: ContextVar[str] = ContextVar("haven_step", default="")


@contextmanager
def at_step(name: str) -> Iterator[None]:
    """Let a step be at work for a block. What others have made lately it does not wait to find."""
    token = CURRENT_STEP.set(name)
    try:
        yield
    finally:
        CURRENT_STEP.reset(token)


# Codes that waiting cures: a resource in transition, a role that is not yet known everywhere.
TRANSIENT_CODES = frozenset(
    {
        "InvalidDBInstanceState",
        "InvalidDBInstanceStateFault",
        "InvalidDBProxyStateFault",
        "InvalidDBParameterGroupState",
        "InvalidEventSubscriptionState",
        "InvalidExportSourceState",
        "IamRoleMissingPermissions",
        "ConcurrentModification",
        "OperationAborted",
        "OperationAbortedException",
        "ConcurrentModificationException",
        "PriorRequestNotComplete",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "SlowDown",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "RequestTimeout",
        "503",
        "500",
    }
)
# A request that nobody answered, or not to the end: it may have had its effect.
LOST = (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
)
# A request that botocore does not send: a mistake that no second try mends.
NEVER_SENT = (OperationNotPageableError, ParamValidationError)
DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure"}
)
EXPIRED_CODES = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS request as evidence records it."""

    service: str
    operation: str
    region: str
    request_id: str
    seconds: float
    step: str = ""

    @property
    def mutating(self) -> bool:
        """Tell whether the operation changes something."""
        return not self.operation.startswith(READS)


@dataclass(slots=True)
class Journal:
    """Every call of one run, in the order of its answers."""

    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, call: Call) -> None:
        """Add a call."""
        with self._lock:
            self.calls.append(call)

    @property
    def reads(self) -> int:
        """Number of calls that only read."""
        return sum(1 for call in self.calls if not call.mutating)

    @property
    def writes(self) -> int:
        """Number of calls that change something."""
        return sum(1 for call in self.calls if call.mutating)


class Cloud:
    """Clients by service and region, made once each, all writing into one journal."""

    def __init__(self, settings: Settings, journal: Journal | None = None) -> None:
        """Prepare a session; no call is made."""
        self.settings = settings
        self.journal = journal if journal is not None else Journal()
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._lock = threading.Lock()
        self._fresh = Fresh(CURRENT_STEP.get)
        self._session = _session(settings)

    @property
    def ca_bundle(self) -> Path:
        """Certificates that database servers are verified against."""
        if self.settings.ca_bundle is None:
            raise InvalidRequest(
                "ca_bundle is not set: database servers cannot be verified.",
                left="Nothing was touched.",
                cure="Set HAVEN_CA_BUNDLE to the RDS certificate bundle of your partition.",
            )
        return self.settings.ca_bundle

    def client(self, service: str, region: str, *, retries: bool = True) -> Any:
        """Return the client of a service in a region; without ``retries`` for bare creates."""
        key = (service, region, retries)
        with self._lock:
            if key not in self._clients:
                with _uncollected():
                    self._clients[key] = self._make(service, region, retries=retries)
            return self._clients[key]

    def separate(self) -> Cloud:
        """Return a cloud with a journal of its own: for locks and evidence."""
        return Cloud(self.settings)

    def _make(self, service: str, region: str, *, retries: bool) -> Any:
        settings = self.settings
        client = self._session.client(
            service,
            region_name=region,
            endpoint_url=settings.endpoint_url,
            config=Config(
                defaults_mode="legacy",
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS if retries else 1},
                connect_timeout=5,
                read_timeout=settings.request_timeout,
                max_pool_connections=settings.parallel,
                user_agent_extra="haven",
                s3={"addressing_style": "path"} if settings.cloud == "local" else None,
                # What is on this machine is not reached through a proxy: an empty map is none.
                proxies={} if settings.cloud == "local" else None,
                **(LOCAL_ENDPOINTS if settings.cloud == "local" else {}),
            ),
        )
        _guard(client, settings, region)
        events = client.meta.events
        events.register("before-call", _mark_start)
        events.register("before-parse", refuse_part)
        events.register("after-call", self._recorder(service, region))
        events.register("after-call", self._fresh.note)
        events.register("needs-retry", self._fresh.delay)
        return client

    def _recorder(self, service: str, region: str) -> Any:
        def record(model: Any, parsed: Any, context: Any, **_: Any) -> None:
            metadata = (parsed or {}).get("ResponseMetadata", {})
            seconds = time.monotonic() - context.get("haven_started", time.monotonic())
            request = metadata.get("RequestId", "")
            self.journal.record(
                Call(service, model.name, region, request, seconds, CURRENT_STEP.get())
            )

        return record


@contextmanager
def _uncollected() -> Iterator[None]:
    """Read a service model without the collector walking through it, at 0.1 s a time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _mark_start(context: Any, **_: Any) -> None:
    context["haven_started"] = time.monotonic()


def _session(settings: Settings) -> boto3.Session:
    """Return a session; real credentials are never sent to a local cloud."""
    local = settings.cloud == "local"
    # The profile of a person is of no concern to a local cloud, nor is one that does not exist.
    core = botocore.session.Session({"profile": (None, [], None, None)} if local else None)
    core.register_component("data_loader", _MODELS)
    if local:
        core.set_credentials("local", "local")
    return boto3.Session(botocore_session=core)


def _guard(client: Any, settings: Settings, region: str) -> None:
    """Refuse a client that would not speak to the cloud of the settings."""
    model, url = client.meta.service_model, client.meta.endpoint_url
    if settings.cloud == "local":
        if not is_loopback(url):
            raise InvalidRequest(
                f"cloud is local, but {model.service_name} would be asked at {without_user(url)}.",
                left="Nothing was touched.",
                cure="Set HAVEN_ENDPOINT_URL to the local cloud, or leave it to be found.",
            )
    elif not is_aws(url, model.endpoint_prefix, region):
        raise InvalidRequest(
            f"The AWS configuration sends {model.service_name} to {without_user(url)}, which is "
            f"not where {region} answers.",
            left="Nothing was touched.",
            cure="Remove the endpoint override from the AWS profile, or set HAVEN_CLOUD=local.",
        )


def is_aws(url: str, service: str, region: str) -> bool:
    """Tell whether a URL is where AWS answers for a service: not just any host in its domain.

    Customers' own machines, buckets and functions have names below amazonaws.com too.
    """
    place = rf"{re.escape(service)}(-fips)?(\.({re.escape(region)}|aws-global))?"
    return re.fullmatch(rf"https://{place}\.amazonaws\.com(\.cn)?/?", url) is not None


def code_of(error: ClientError) -> str:
    """Return the wire code of an error answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_code(error: BaseException, *codes: str) -> bool:
    """Tell whether an exception is an error answer with one of these codes."""
    return isinstance(error, ClientError) and code_of(error) in codes


def already_exists(error: BaseException | None) -> bool:
    """Tell whether a creation was refused since there is something of that name."""
    if not isinstance(error, ClientError):
        return False
    code = code_of(error)
    return "AlreadyExist" in code or code == "ResourceExistsException"


def not_found(error: BaseException | None) -> bool:
    """Tell whether there is nothing of the name that was asked for."""
    return isinstance(error, ClientError) and (
        "NotFound" in code_of(error) or "NoSuch" in code_of(error)
    )


def is_transient(error: BaseException) -> bool:
    """Tell whether waiting can cure it."""
    if isinstance(error, ClientError):
        return code_of(error) in TRANSIENT_CODES or _role_not_yet_known(error)
    return isinstance(error, LOST)


def _role_not_yet_known(error: ClientError) -> bool:
    """IAM is eventually consistent: a fresh role is refused as a bad value for some seconds."""
    if code_of(error) not in {"InvalidParameterValue", "InvalidParameterCombination"}:
        return False
    return "assume" in str(error.response["Error"].get("Message", "")).lower()


def aws_error(error: BaseException, subject: str) -> HavenError:
    """Turn what botocore raises into one of our errors, by code."""
    if isinstance(error, NoCredentialsError):
        return InvalidRequest(
            "No AWS credentials were found.", cure="Log in the way the AWS command line does."
        )
    if isinstance(error, ProfileNotFound):
        return InvalidRequest(
            f"{first_sentence(error)}.", left="Nothing was touched.", cure="Mend AWS_PROFILE."
        )
    if isinstance(error, ClientError):
        return _answered(error, subject)
    if isinstance(error, NEVER_SENT):
        return Failed(
            f"{subject}: the request cannot be made ({type(error).__name__}).",
            left="What was done before stays.",
            cure="This is a mistake in Haven: report it with the command that was run.",
        )
    if isinstance(error, BotoCoreError):
        return Unavailable(
            f"{subject}: AWS did not answer ({type(error).__name__}: {first_sentence(error)}).",
            left="What was done before stays.",
            cure="Run the same command again to resume.",
        )
    raise error


def _answered(error: ClientError, subject: str) -> HavenError:
    code = code_of(error)
    text = f"{subject}: {error.operation_name} answered {code}: {first_sentence(error)}."
    if code in DENIED_CODES:
        return Refused(text, cure="Grant the action named to the identity that runs Haven.")
    if code in EXPIRED_CODES:
        return Unavailable(text, cure="Log in again, then run the same command to resume.")
    if already_exists(error):
        return Conflict(text, left="It was not touched.", cure="Find out who made it.")
    if is_transient(error):
        return Unavailable(text, cure="Run the same command again to resume.")
    return Failed(text, left="What was done before stays.")


def first_sentence(error: BaseException) -> str:
    """Return the message of an error answer, or the first line of its text."""
    message = ""
    if isinstance(error, ClientError):
        message = str(error.response.get("Error", {}).get("Message", ""))
    lines = (message or str(error)).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
