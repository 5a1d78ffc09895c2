"""An error in the form the caller's protocol expects."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

_JSON_PREFIX = "application/x-amz-json"
_REST_JSON = frozenset({"backup", "lambda", "scheduler", "pi", "resource-groups"})


@dataclass(frozen=True, slots=True)
class Shaped:
    """A complete error answer."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def shape(service: str, content_type: str, code: str, message: str, status: str) -> Shaped:
    """Return an error for one service: JSON, S3's XML or the query protocol's XML."""
    request = str(uuid.uuid4())
    if content_type.startswith(_JSON_PREFIX) or service in _REST_JSON:
        body = json.dumps({"__type": code, "message": message, "Message": message})
        kind = content_type if content_type.startswith(_JSON_PREFIX) else "application/json"
        headers = [("Content-Type", kind), ("x-amzn-ErrorType", code)]
    elif service == "s3":
        body = (
            f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
            f"<RequestId>{request}</RequestId></Error>"
        )
        headers = [("Content-Type", "application/xml")]
    elif service == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}"
            f"</Message></Error></Errors><RequestID>{request}</RequestID></Response>"
        )
        headers = [("Content-Type", "text/xml")]
    else:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{request}</RequestId>"
            "</ErrorResponse>"
        )
        headers = [("Content-Type", "text/xml")]
    content = body.encode()
    headers += [("x-amzn-RequestId", request), ("Content-Length", str(len(content)))]
    return Shaped(status, headers, content)


def code_in(body: bytes) -> str | None:
    """Return the error code an answer carries, in whatever form."""
    text = body[:4000].decode("utf-8", "replace")
    for opening, closing in (("<Code>", "</Code>"), ('"__type": "', '"'), ('"__type":"', '"')):
        start = text.find(opening)
        if start >= 0:
            start += len(opening)
            return text[start : text.find(closing, start)].rsplit("#", 1)[-1]
    return None
