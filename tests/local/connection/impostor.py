"""Servers that should not be trusted, each good for one connection, and their certificates."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECONDS = 10
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CLEARTEXT = struct.pack("!cii", b"R", 8, 3)


class Authority:
    """A certificate authority; without one a certificate signs itself."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.bundle = folder / f"{name}.pem"
        made = _sign(self.name, self.key, self.name, self.key, days=1, authority=True)
        self.bundle.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, folder: Path, *, host: str = "localhost", days: int = 1, self_signed: bool = False
    ) -> Path:
        """Write a server's certificate and key into one file; ``days`` below 0 has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        issuer, signer = (subject, key) if self_signed else (self.name, self.key)
        made = _sign(subject, key, issuer, signer, days=days)
        path = folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )
        return path


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    *,
    days: int,
    authority: bool = False,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    host = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


@dataclass(slots=True)
class Impostor:
    """Where it listens and all that it was told: as it came in, and out of the TLS."""

    port: int
    raw: bytearray = field(default_factory=bytearray)
    inside: bytearray = field(default_factory=bytearray)


@contextlib.contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[Impostor]:
    """Answer one connection; without a context in plain text, and ask for the password."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        impostor = Impostor(server.getsockname()[1])
        thread = threading.Thread(target=_answer, args=(server, context, impostor))
        thread.start()
        try:
            yield impostor
        finally:
            thread.join(SECONDS)
    assert not thread.is_alive()


def _answer(server: socket.socket, context: ssl.SSLContext | None, impostor: Impostor) -> None:
    with contextlib.suppress(OSError):
        client, _ = server.accept()
        with client:
            client.settimeout(SECONDS)
            impostor.raw += client.recv(len(SSL_REQUEST))
            client.sendall(b"N" if context is None else b"S")
            if context is None:
                _listen(client, impostor.raw)
            else:
                with context.wrap_socket(client, server_side=True) as inside:
                    _listen(inside, impostor.inside)


def _listen(client: socket.socket, heard: bytearray) -> None:
    """Ask for the password in the clear after the first message, and hear everything."""
    while data := client.recv(4096):
        if not heard:
            client.sendall(CLEARTEXT)
        heard += data
