"""The certificates of a node: taken by clients that keep to the letter of the rules, as Python's do from 3.13 on."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from swell.testing.node.layout import NODE_IP
from swell.testing.node.pki import IDENTITIES, make_pki

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    make_pki(folder, NOW)
    return folder


@pytest.mark.parametrize("name", ["apiserver", "kubelet"])
def test_what_serves_is_taken_at_the_address_of_the_node(pki: Path, name: str) -> None:
    policy = PolicyBuilder().store(Store([certificate(pki, "ca")])).time(NOW)
    policy.build_server_verifier(x509.IPAddress(ipaddress.ip_address(NODE_IP))).verify(certificate(pki, name), [])


@pytest.mark.parametrize("name", ["ca", *IDENTITIES])
def test_each_has_its_key_and_is_signed_by_the_authority(pki: Path, name: str) -> None:
    certificate(pki, name).verify_directly_issued_by(certificate(pki, "ca"))
    key = load_pem_private_key((pki / f"{name}.key").read_bytes(), None)
    assert key.public_key() == certificate(pki, name).public_key()


def certificate(pki: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((pki / f"{name}.crt").read_bytes())
