"""The certificates of one node: an authority, what it signed, and the key of service-account tokens."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from swell.testing.node.layout import CLUSTER_DOMAIN, KUBERNETES_IP, NODE_IP, NODE_NAME

LIFE: Final = datetime.timedelta(days=365)
BACKDATED: Final = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a certificate names: a Kubernetes user, its group, and the hosts it may serve as."""

    user: str
    group: str = ""
    hosts: tuple[str, ...] = ()


_KUBERNETES_NAMES: Final = tuple(
    ".".join(("kubernetes", "default", "svc", CLUSTER_DOMAIN)[:parts]) for parts in (1, 2, 3, 4)
)
IDENTITIES: Final = {
    "apiserver": Identity(
        "kube-apiserver", hosts=(*_KUBERNETES_NAMES, "localhost", "127.0.0.1", KUBERNETES_IP, NODE_IP)
    ),
    "apiserver-kubelet": Identity("kube-apiserver-kubelet-client", "system:masters"),
    "front-proxy": Identity("front-proxy-client"),
    "admin": Identity("admin", "system:masters"),
    "controller-manager": Identity("system:kube-controller-manager"),
    "scheduler": Identity("system:kube-scheduler"),
    "proxy": Identity("system:kube-proxy"),
    "dns": Identity("swell:dns", "system:masters"),
    "kubelet": Identity(f"system:node:{NODE_NAME}", "system:nodes", (NODE_NAME, "127.0.0.1", NODE_IP)),
}


def make_pki(folder: Path, now: datetime.datetime) -> None:
    """Write `ca.crt`, `ca.key`, NAME.crt and NAME.key of all `IDENTITIES`, `accounts.key` and `accounts.pub`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key, now)
    _write_pair(folder, "ca", ca, ca_key)
    for name, identity in IDENTITIES.items():
        key = ec.generate_private_key(ec.SECP256R1())
        _write_pair(folder, name, _certificate(identity, key, ca, ca_key, now), key)
    accounts = ec.generate_private_key(ec.SECP256R1())
    _write(folder / "accounts.key", _pem(accounts))
    public = accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(folder / "accounts.pub", public)


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node-ca")])
    return (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    identity: Identity,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
) -> x509.Certificate:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group)] if identity.group else []
    subject = x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, identity.user)])
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = (
        _builder(subject, ca.subject, key, now)
        .add_extension(usages, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if identity.hosts:
        names = x509.SubjectAlternativeName([_host(host) for host in identity.hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(ca_key, hashes.SHA256())


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


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{name}.key", _pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
