"""A local certificate authority: its bundle plays the part of the RDS CA bundle."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_LIFE = dt.timedelta(days=3650)
_SERVER_LIFE = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate with its key, both PEM, and when it ends."""

    certificate: bytes
    key: bytes
    valid_till: dt.datetime


class Authority:
    """The CA of one local cloud, made afresh at each start."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Local cloud RDS CA")
        now = dt.datetime.now(dt.UTC)
        self.valid_till = now + _CA_LIFE
        certificate = (
            _builder(self._name, self._name, self._key.public_key(), now, self.valid_till)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(_subject_id(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        bundle.chmod(0o644)

    def issue(self, host: str) -> ServerCertificate:
        """Return a server certificate for one address."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(self._name, _name(host), key.public_key(), now, now + _SERVER_LIFE)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(authority_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return ServerCertificate(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            now + _SERVER_LIFE,
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _subject_id(key: ec.EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    issuer: x509.Name,
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - dt.timedelta(minutes=5))
        .not_valid_after(end)
    )
