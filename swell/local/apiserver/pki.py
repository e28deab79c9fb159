"""Certificates and the token of one embedded cluster, as files; run as a program, so that the server needs
none of the libraries that make them.

    python -P -m swell.local.apiserver.pki DIR
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST_NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ADDRESSES: Final = ("127.0.0.1", "::1")
LIFE: Final = datetime.timedelta(days=3650)
# A machine's clock may be set back a little after the certificates were made.
BACKDATED: Final = datetime.timedelta(hours=24)
TOKEN_BYTES: Final = 32


def make_pki(folder: Path, now: datetime.datetime) -> None:
    """Write `ca.crt`, `server.key`, `token` and, last, `server.crt` into `folder`; only the owner can read them.

    The key of the authority is not kept: nobody can make another certificate that clients would trust.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server_certificate(key, ca, ca_key, now)
    _write(folder / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))
    _write(folder / "token", secrets.token_urlsafe(TOKEN_BYTES).encode())
    _write(
        folder / "server.key",
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    # Whoever finds this one finds all.
    _write(folder / "server.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    name = _name("swell-ca")
    usage = _key_usage(signs_certificates=True)
    return (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
) -> x509.Certificate:
    names = [
        *(x509.DNSName(name) for name in HOST_NAMES),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES),
    ]
    return (
        _builder(_name("swell-api"), ca.subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFE)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write(path: Path, content: bytes) -> None:
    """In one step, so that nobody reads half a file."""
    draft = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


if __name__ == "__main__":
    make_pki(Path(sys.argv[1]), datetime.datetime.now(datetime.UTC))
