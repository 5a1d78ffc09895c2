"""The key of the hashes in a de-identified export."""

from __future__ import annotations

from haven.errors import Refused
from tasks.kinds import looks
from tasks.secrets import read_contents
from tasks.site import Site

ENTRY = "key"
LEAST_BYTES = 32


@looks
def check_hash_key(site: Site, secret: str) -> None:
    """Raise ``Refused`` unless a secret holds a key for hashes."""
    hash_key(site, secret)


def hash_key(site: Site, secret: str) -> bytes:
    """Return the key that a secret holds. Callers keep it in local variables."""
    text = read_contents(site, [secret]).get(secret, {}).get(ENTRY, "")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < LEAST_BYTES:
        raise Refused(
            f"The secret {secret} is not there, or its entry '{ENTRY}' is not {LEAST_BYTES} bytes or "
            "more in hexadecimal.",
            left="Nothing was exported.",
            cure=f"Make it once, and keep it: aws secretsmanager create-secret --name {secret} "
            "--secret-string file://key.json, of 'openssl rand -hex 32'. With another key, the same "
            "person has another hash.",
        )
    return key
