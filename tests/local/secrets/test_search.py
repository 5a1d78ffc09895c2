"""The search finds what is there, however it is spelt, and names it without showing it."""

import base64
import json
from urllib.parse import quote

import pytest

from localcloud.certificates import Authority
from tests.local.secrets.planted import Planted, hits, private_key, verifier, whole

SECRET = "a-s3cret-&-Horse'\"\\=+?~ü"  # noqa: S105  # what the rows below spell

SPELLINGS = {
    "as it is": SECRET,
    "in a URL": f"postgresql://haven_reader:{quote(SECRET, safe='')}@127.0.0.1:5432/db",
    "in JSON": json.dumps({"SecretString": SECRET}),
    "in JSON in JSON": json.dumps(json.dumps({"password": SECRET})),
    "in the repr of a dictionary": repr({"password": SECRET}),
    "in the repr of a text with both quotes": repr(f"'{SECRET}\""),
    "in SQL": "ALTER ROLE x PASSWORD '{}'".format(SECRET.replace("'", "''")),
    "in hex": SECRET.encode().hex(),
    "over two lines": SECRET[:9] + "\n    " + SECRET[9:],
    **{
        f"in base64 after {offset} bytes": base64.b64encode(
            b"x" * offset + SECRET.encode() + b" and more"
        ).decode()
        for offset in range(4)
    },
    "in base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_found(text):
    for before in range(8):
        sinks = {"quiet": b"nothing here", "loud": f"{before * '.'} {text} after".encode()}
        assert hits([whole("the secret", SECRET)], sinks) == [("the secret", "loud")]


def test_a_key_of_a_verifier_is_found_alone():
    text = "SCRAM-SHA-256$4096:c2FsdA==$dGhlIHN0b3JlZCBrZXk=:YW5kIHRoZSBzZXJ2ZXIga2V5"
    planted = verifier("a verifier", text)
    assert hits([planted], {"log": b"key YW5kIHRoZSBzZXJ2ZXIga2V5."}) == [("a verifier", "log")]


def test_no_text_about_a_secret_shows_it():
    planted = whole("the secret", SECRET)
    assert SECRET not in f"{planted!r} {planted} {hits([planted], {'log': SECRET.encode()})}"


def test_a_private_key_is_found_by_any_of_its_secret_lines(tmp_path):
    pem = Authority(tmp_path / "ca.pem").issue("127.0.0.1").key.decode()
    first, second, *_ = pem.splitlines()[1:]
    for text in (pem, first, second, json.dumps(pem), pem.encode().hex()):
        sinks = {"log": f"before {text} after".encode()}
        assert hits([private_key("a key", pem)], sinks) == [("a key", "log")]


def test_what_chance_would_find_is_refused():
    with pytest.raises(ValueError, match="too short"):
        Planted("a short one", (b"local",))
