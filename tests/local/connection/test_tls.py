"""A server that does not prove who it is never hears a password."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haven.errors import Failed, InvalidRequest
from haven.pg import Login, open_connection
from tests.local.connection.impostor import SSL_REQUEST, Authority, Impostor, listening

PASSWORD = "never-to-be-heard"  # noqa: S105  # of nobody

ROWS = [
    ("no TLS at all", None, "server does not support SSL"),
    ("self-signed", {"self_signed": True}, "certificate verify failed"),
    ("wrong name", {"host": "elsewhere.example.org"}, "does not match host name"),
    ("expired", {"days": -1}, "certificate verify failed"),
    ("wrong authority", {"other": True}, "certificate verify failed"),
    ("TLS 1.1 only", {"old": True}, "protocol"),
]


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


def context_of(folder: Path, ours: Authority, kind: dict[str, Any] | None) -> ssl.SSLContext | None:
    if kind is None:
        return None
    how = dict(kind)
    authority = Authority(folder, "other") if how.pop("other", False) else ours
    old = how.pop("old", False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(folder, **how))
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def refused(context: ssl.SSLContext | None, bundle: Path, words: str) -> Impostor:
    """Return what the server heard of a connection that failed with these words."""
    with listening(context) as impostor, pytest.raises(Failed, match=words) as caught:
        open_connection(
            Login("localhost", impostor.port, "postgres", "haven_reader", PASSWORD, bundle)
        )
    message = str(caught.value)
    assert "No password was sent." in message
    assert "\n" not in message
    assert PASSWORD not in message
    assert PASSWORD.encode() not in impostor.raw + impostor.inside
    return impostor


@pytest.mark.parametrize(("kind", "words"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_an_unproven_server_is_refused_before_anything_is_said(tmp_path, ours, kind, words):
    words = f"did not prove who it is: .*{words}"
    impostor = refused(context_of(tmp_path, ours, kind), ours.bundle, words)
    assert bytes(impostor.raw) == SSL_REQUEST
    assert not impostor.inside


def test_there_are_six_ways_of_not_proving_it():
    assert len({row[0] for row in ROWS}) == 6


def test_a_proven_server_is_spoken_to_but_not_in_the_clear(tmp_path, ours):
    # The same listener with a good certificate hears the start: the rows above do not fail by it.
    impostor = refused(context_of(tmp_path, ours, {}), ours.bundle, "would give it away")
    assert b"haven_reader" in impostor.inside


def test_without_its_bundle_nothing_is_sent(tmp_path, ours):
    words = r"none\.pem.* does not exist"
    assert not refused(context_of(tmp_path, ours, {}), tmp_path / "none.pem", words).inside


@pytest.mark.parametrize("name", ["host", "database", "user", "password", "application", "options"])
def test_a_nul_does_not_cut_off_what_comes_after_it(ours, name):
    # libpq reads its parameters as one C string: what stood behind the NUL was never asked for.
    good = Login("localhost", 1, "postgres", "haven_reader", PASSWORD, ours.bundle)
    change: dict[str, Any] = {name: f"{PASSWORD}\0"}
    with pytest.raises(InvalidRequest, match=f"holds a NUL character in: {name}") as caught:
        open_connection(replace(good, **change))
    assert "Nothing was sent." in str(caught.value)
    assert "\0" not in str(caught.value)
