"""The certificates of one node: an authority, what it signed, and the key of service-account tokens."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from swell.runtime.certificates import (
    CLIENT,
    SERVER,
    KeyPair,
    Validity,
    certificate_pem,
    issue,
    key_pem,
    new_authority,
    new_key,
    write_private,
)
from swell.testing.node.layout import CLUSTER_DOMAIN, KUBERNETES_IP, NODE_IP, NODE_NAME

LIFE: Final = datetime.timedelta(days=365)
BACKDATED: Final = datetime.timedelta(hours=1)
# Some of them serve and call with the same certificate.
USES: Final = (SERVER, CLIENT)


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
    validity = Validity(now - BACKDATED, now + LIFE)
    authority = new_authority("node-ca", validity)
    _write_pair(folder, "ca", authority)
    for name, who in IDENTITIES.items():
        pair = issue(authority, who.user, validity, uses=USES, hosts=who.hosts, organization=who.group)
        _write_pair(folder, name, pair)
    accounts = new_key()
    write_private(folder / "accounts.key", key_pem(accounts))
    public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_private(folder / "accounts.pub", public)


def _write_pair(folder: Path, name: str, pair: KeyPair) -> None:
    write_private(folder / f"{name}.crt", certificate_pem(pair.certificate))
    write_private(folder / f"{name}.key", key_pem(pair.key))
