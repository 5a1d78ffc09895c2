"""Running an operation as a Prefect flow run, in this process."""

from __future__ import annotations

import importlib
import os
from typing import Any

from pydantic import BaseModel

from haven.cli.local import QUIET, running_prefect
from haven.settings import Settings

API = "PREFECT_API_URL"


def run_under_prefect(name: str, settings: Settings, parameters: BaseModel) -> Any:
    """Run an operation as a flow run that the server shows, and return its report.

    The server is the one of ``PREFECT_API_URL``, else the one that ``haven up`` runs.
    """
    environment = os.environ  # noqa: TID251  # Prefect reads its settings from there at import
    for key, value in QUIET.items():
        environment.setdefault(key, value)
    if API not in environment:
        environment[API] = running_prefect(settings)
    flows = importlib.import_module("flows.deployed")
    return getattr(flows, name.replace("-", "_"))(stack=settings.stack, parameters=parameters)
