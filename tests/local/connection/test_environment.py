"""What was set for psql, or left in a person's folders, changes nothing of Haven's connections."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from psycopg import pq

from haven.errors import Failed
from haven.pg import BESIDES, FIXED, Login, open_connection
from tests.local.connection.impostor import Authority, listening

VALUES = {
    "PGSERVICE": "elsewhere",
    "PGHOSTADDR": "127.0.0.2",
    "PGOPTIONS": "-c search_path=evil",
    "PGSSLMODE": "disable",
    "PGSSLCERT": "client.crt",
    "PGSSLKEY": "client.key",
    "PGSSLCERTMODE": "require",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLMINPROTOCOLVERSION": "TLSv1",
    "PGSSLMAXPROTOCOLVERSION": "TLSv1",
    "PGREQUIREPEER": "nobody",
    "PGREQUIREAUTH": "none",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGLOADBALANCEHOSTS": "random",
    "PGMINPROTOCOLVERSION": "3.2",
    "PGMAXPROTOCOLVERSION": "3.2",
    "PGCONNECT_TIMEOUT": "-5",
    "PGCLIENTENCODING": "LATIN1",
    "PGTZ": "Pacific/Kiritimati",
    "PGDATESTYLE": "German",
    "PGGEQO": "off",
    "PGSERVICEFILE": "services.conf",
    "PGPORT": "1",
}
NAMES = sorted(
    {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    | {*BESIDES, *VALUES}
)
HOME = (
    ".pg_service.conf",
    ".pgpass",
    ".postgresql/postgresql.crt",
    ".postgresql/postgresql.key",
    ".postgresql/root.crl",
)


def first_words(folder: Path, ours: Authority) -> bytes:
    """Return what a connection says inside its TLS until it is asked for a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.issue(folder))
    context.load_verify_locations(ours.bundle)
    context.verify_mode = ssl.CERT_OPTIONAL
    with listening(context) as impostor, pytest.raises(Failed, match="would give it away"):
        open_connection(
            Login("localhost", impostor.port, "postgres", "haven_reader", "x", ours.bundle)
        )
    return bytes(impostor.inside)


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_of_libpq_changes_nothing(tmp_path, monkeypatch, ours, name):
    monkeypatch.chdir(tmp_path)
    expected = first_words(tmp_path, ours)
    monkeypatch.setenv(name, VALUES.get(name, "elsewhere"))
    assert first_words(tmp_path, ours) == expected


def test_all_variables_together_change_nothing(tmp_path, monkeypatch, ours):
    monkeypatch.chdir(tmp_path)
    expected = first_words(tmp_path, ours)
    (tmp_path / "services.conf").write_text("[elsewhere]\nhost=127.0.0.2\noptions=-c a.b=c\n")
    for name in NAMES:
        monkeypatch.setenv(name, VALUES.get(name, "elsewhere"))
    assert first_words(tmp_path, ours) == expected


def test_the_files_of_a_person_change_nothing(tmp_path, monkeypatch, ours):
    expected = first_words(tmp_path, ours)
    (tmp_path / ".postgresql").mkdir()
    for name in HOME:
        (tmp_path / name).write_text("not what it should be\n", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert first_words(tmp_path, ours) == expected


def test_the_ways_that_are_fixed_are_ways_of_this_libpq():
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    assert FIXED.keys() <= known
