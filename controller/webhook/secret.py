"""The Secret that controllers share an identity through: from its data to an `Identity`, and back."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from controller.webhook.certificates import Identity
from swell.api.kinds import SECRET
from swell.api.meta import Obj
from swell.runtime.certificates import KeyPair, certificate_pem, key_pem

NAME: Final = "swell-webhook-certs"
TYPE: Final = "kubernetes.io/tls"
LABELS: Final = {"app.kubernetes.io/part-of": "swell"}
AUTHORITIES: Final = "ca.crt"
AUTHORITY_KEY: Final = "ca.key"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"


def identity_of(secret: Obj | None) -> Identity | None:
    """None if there is no Secret, or it holds no identity that belongs together: then a new one is to be made."""
    data = (secret or {}).get("data") or {}
    try:
        authorities = x509.load_pem_x509_certificates(_decoded(data, AUTHORITIES))
        authority = KeyPair(authorities[0], _key(data, AUTHORITY_KEY))
        serving = KeyPair(x509.load_pem_x509_certificate(_decoded(data, CERTIFICATE)), _key(data, KEY))
    except (KeyError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if authority.certificate.public_key() != authority.key.public_key():
        return None
    return Identity(authority, serving, tuple(authorities[1:]))


def secret_of(identity: Identity, namespace: str, live: Obj | None) -> Obj:
    """The Secret that holds `identity`: `live` with other data, or a new one."""
    data = {
        AUTHORITIES: _encoded(bundle(identity)),
        AUTHORITY_KEY: _encoded(key_pem(identity.authority.key)),
        CERTIFICATE: _encoded(certificate_pem(identity.serving.certificate)),
        KEY: _encoded(key_pem(identity.serving.key)),
    }
    if live is not None:
        return {**live, "data": data}
    meta = {"name": NAME, "namespace": namespace, "labels": dict(LABELS)}
    return {"apiVersion": SECRET.api_version, "kind": SECRET.kind, "metadata": meta, "type": TYPE, "data": data}


def bundle(identity: Identity) -> bytes:
    """The authorities to trust, as PEM."""
    return b"".join(map(certificate_pem, identity.authorities))


def serving_pem(identity: Identity) -> bytes:
    """Key and certificate to serve with, as PEM."""
    return key_pem(identity.serving.key) + certificate_pem(identity.serving.certificate)


def _key(data: Obj, name: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(_decoded(data, name), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{name} is no key of an elliptic curve")
    return key


def _decoded(data: Obj, name: str) -> bytes:
    try:
        return base64.b64decode(data[name], validate=True)
    except binascii.Error as exc:
        raise ValueError(f"{name} is no base64") from exc


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
