"""SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, without channel binding.

The proxy is the server towards its clients and a client towards the database, so that no
password travels in clear on either side.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

MECHANISM = "SCRAM-SHA-256"
_ITERATIONS = 4096
_NONCE = 18
_NO_BINDING = ("n,,", "y,,")


class ScramError(Exception):
    """The other side did not prove what it had to, or broke the protocol."""


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _nonce() -> str:
    return base64.b64encode(secrets.token_bytes(_NONCE)).decode()


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def _fields(message: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.split(",") if "=" in part)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ScramError("A field is not base64.") from error


class ServerExchange:
    """The side that checks a password."""

    def __init__(self, password: str) -> None:
        self._salt = secrets.token_bytes(16)
        self._salted = _salted(password, self._salt, _ITERATIONS)
        self._nonce = ""
        self._header = ""
        self._spoken = ""

    def first(self, message: str) -> str:
        """Take the client's first message and return the challenge."""
        header = message[:3]
        if header not in _NO_BINDING:
            raise ScramError("Channel binding is not offered.")
        bare = message[3:]
        client_nonce = _fields(bare).get("r")
        if not client_nonce:
            raise ScramError("The client sent no nonce.")
        self._header = header
        self._nonce = client_nonce + _nonce()
        salt = base64.b64encode(self._salt).decode()
        challenge = f"r={self._nonce},s={salt},i={_ITERATIONS}"
        self._spoken = f"{bare},{challenge}"
        return challenge

    def final(self, message: str) -> str:
        """Check the client's proof and return the server's own."""
        unproven, _, proof = message.rpartition(",p=")
        fields = _fields(unproven)
        binding = base64.b64encode(self._header.encode()).decode()
        if fields.get("r") != self._nonce or fields.get("c") != binding:
            raise ScramError("The client's nonce or header is not the one agreed on.")
        spoken = f"{self._spoken},{unproven}"
        client_key = _hmac(self._salted, "Client Key")
        stored = hashlib.sha256(client_key).digest()
        given = _decoded(proof)
        if len(given) != len(stored):
            raise ScramError("The proof has the wrong length.")
        found = _xor(given, _hmac(stored, spoken))
        if not hmac.compare_digest(hashlib.sha256(found).digest(), stored):
            raise ScramError("The password is wrong.")
        signature = _hmac(_hmac(self._salted, "Server Key"), spoken)
        return f"v={base64.b64encode(signature).decode()}"


class ClientExchange:
    """The side that proves it knows a password."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._nonce = _nonce()
        self._bare = f"n=,r={self._nonce}"
        self._expected = b""

    def first(self) -> str:
        """Return the first message; PostgreSQL takes the user from the startup packet."""
        return f"n,,{self._bare}"

    def final(self, challenge: str) -> str:
        """Answer the server's challenge with the proof."""
        fields = _fields(challenge)
        nonce = fields.get("r", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("The server's nonce does not continue the client's.")
        iterations = fields.get("i", "")
        if not iterations.isdigit() or "s" not in fields:
            raise ScramError("The challenge is not complete.")
        salted = _salted(self._password, _decoded(fields["s"]), int(iterations))
        unproven = f"c={base64.b64encode(b'n,,').decode()},r={nonce}"
        spoken = f"{self._bare},{challenge},{unproven}"
        client_key = _hmac(salted, "Client Key")
        proof = _xor(client_key, _hmac(hashlib.sha256(client_key).digest(), spoken))
        self._expected = _hmac(_hmac(salted, "Server Key"), spoken)
        return f"{unproven},p={base64.b64encode(proof).decode()}"

    def verify(self, message: str) -> None:
        """Check that the server knows the password as well."""
        if not hmac.compare_digest(_decoded(_fields(message).get("v", "")), self._expected):
            raise ScramError("The server did not prove that it knows the password.")
