"""SCRAM-SHA-256, both sides against each other and against libpq's verifier."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from psycopg import pq

from localcloud.proxy.scram import ClientExchange, ScramError, ServerExchange


def _talk(server_password: str, client_password: str) -> None:
    server, client = ServerExchange(server_password), ClientExchange(client_password)
    client.verify(server.final(client.final(server.first(client.first()))))


@pytest.mark.parametrize("password", ["Correct-Horse-1", "a,b=c", "päss wörd", "=2C=3D"])
def test_the_right_password_is_let_in(password: str) -> None:
    _talk(password, password)


def test_a_wrong_password_is_not() -> None:
    with pytest.raises(ScramError, match="wrong"):
        _talk("one", "two")


def test_a_server_without_the_password_is_found_out() -> None:
    client = ClientExchange("one")
    server = ServerExchange("one")
    client.final(server.first(client.first()))
    with pytest.raises(ScramError, match="did not prove"):
        client.verify("v=" + base64.b64encode(b"x" * 32).decode())


@pytest.mark.parametrize("first", ["p=tls-server-end-point,,n=,r=abc", "n,,n=", "", "x"])
def test_a_broken_first_message_is_refused(first: str) -> None:
    with pytest.raises(ScramError):
        ServerExchange("one").first(first)


def test_a_replayed_proof_is_refused() -> None:
    client = ClientExchange("one")
    first = ServerExchange("one")
    proof = client.final(first.first(client.first()))
    second = ServerExchange("one")
    second.first(client.first())
    with pytest.raises(ScramError):
        second.final(proof)


def test_the_salting_is_that_of_postgresql() -> None:
    # What libpq stores for a password must follow from the same derivation.
    connection = pq.PGconn.connect_start(b"host=127.0.0.1 port=1")
    stored = connection.encrypt_password(b"secret", b"user", b"scram-sha-256").decode()
    connection.finish()
    rounds, salt = stored.split("$")[1].split(":")
    key, _ = stored.split("$")[2].split(":")
    salted = hashlib.pbkdf2_hmac("sha256", b"secret", base64.b64decode(salt), int(rounds))
    client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    assert base64.b64encode(hashlib.sha256(client_key).digest()).decode() == key
