"""What an API call is refused with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Make a call that has to fail; return its error code and message."""
    try:
        call(**parameters)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} was not refused")
