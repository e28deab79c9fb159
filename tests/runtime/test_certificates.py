"""Certificates as clients see them that know the authority, at any time; and their files."""

from __future__ import annotations

import datetime
import ipaddress
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from swell.runtime.certificates import (
    CLIENT,
    SERVER,
    KeyPair,
    Validity,
    certificate_pem,
    issue,
    key_pem,
    new_authority,
    write_private,
)

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
VALIDITY = Validity(START, START + datetime.timedelta(days=10))
LATER = Validity(START, START + datetime.timedelta(days=20))


def policy(authority: KeyPair, now: datetime.datetime = START) -> PolicyBuilder:
    """That of somebody who knows `authority` only."""
    return PolicyBuilder().store(Store([authority.certificate])).time(now)


def takes(
    authority: KeyPair, served: KeyPair, host: x509.DNSName | x509.IPAddress, *, between: Sequence[KeyPair] = ()
) -> bool:
    """Whether who calls `host` takes it for that."""
    verifier = policy(authority).build_server_verifier(host)
    try:
        verifier.verify(served.certificate, [each.certificate for each in between])
    except VerificationError:
        return False
    return True


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return new_authority("authority", LATER)


def test_it_is_taken_at_its_hosts_and_nowhere_else(authority: KeyPair) -> None:
    served = issue(authority, "app", VALIDITY, uses=(SERVER,), hosts=("app.example.com", "127.0.0.1", "::1"))
    for host in (x509.DNSName("app.example.com"), *map(address, ("127.0.0.1", "::1"))):
        assert takes(authority, served, host)
    for host in (x509.DNSName("other.example.com"), address("127.0.0.2")):
        assert not takes(authority, served, host)


def address(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(text))


def test_it_is_taken_from_its_start_to_its_end(authority: KeyPair) -> None:
    served = issue(authority, "app", VALIDITY, uses=(CLIENT,), hosts=("app",))
    for now in (VALIDITY.start, VALIDITY.end):
        policy(authority, now).build_client_verifier().verify(served.certificate, [])
    for now in (VALIDITY.start - SECOND, VALIDITY.end + SECOND):
        with pytest.raises(VerificationError):
            policy(authority, now).build_client_verifier().verify(served.certificate, [])


def test_it_is_taken_for_its_uses_only(authority: KeyPair) -> None:
    client = issue(authority, "app", VALIDITY, uses=(CLIENT,), hosts=("app",))
    assert not takes(authority, client, x509.DNSName("app"))
    both = issue(authority, "app", VALIDITY, uses=(SERVER, CLIENT), hosts=("app",))
    assert takes(authority, both, x509.DNSName("app"))
    policy(authority).build_client_verifier().verify(both.certificate, [])


def test_nobody_takes_what_another_authority_or_no_authority_has_signed(authority: KeyPair) -> None:
    app = x509.DNSName("app")
    served = issue(authority, "app", VALIDITY, uses=(SERVER,), hosts=("app",))
    assert not takes(new_authority("authority", LATER), served, app)
    below = issue(served, "below", VALIDITY, uses=(SERVER,), hosts=("app",))
    assert not takes(authority, below, app, between=(served,))


def test_it_names_a_user_and_where_there_is_one_a_group(authority: KeyPair) -> None:
    admin = issue(authority, "admin", VALIDITY, uses=(CLIENT,), organization="system:masters")
    assert subject(admin) == {NameOID.ORGANIZATION_NAME: "system:masters", NameOID.COMMON_NAME: "admin"}
    proxy = issue(authority, "proxy", VALIDITY, uses=(CLIENT,))
    assert subject(proxy) == {NameOID.COMMON_NAME: "proxy"}


def subject(pair: KeyPair) -> dict[x509.ObjectIdentifier, str | bytes]:
    return {each.oid: each.value for each in pair.certificate.subject}


def test_certificate_and_key_come_back_from_their_files_which_only_the_owner_can_read(
    authority: KeyPair, tmp_path: Path
) -> None:
    write_private(tmp_path / "ca.crt", certificate_pem(authority.certificate))
    write_private(tmp_path / "ca.key", b"an older one")
    write_private(tmp_path / "ca.key", key_pem(authority.key))
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "ca.crt": 0o600,
        "ca.key": 0o600,
    }
    assert x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes()) == authority.certificate
    key = load_pem_private_key((tmp_path / "ca.key").read_bytes(), None)
    assert key.public_key() == authority.certificate.public_key() == authority.key.public_key()
