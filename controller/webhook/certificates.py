"""The webhook's authority and serving certificate: when a new one is due, and what follows. Pure but for randomness.

Knows X.509 and time, nothing of Secrets and sockets.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from swell.runtime.certificates import SERVER, KeyPair, Validity, issue, new_authority

DAY_S: Final = 86_400.0
AUTHORITY_LIFE_S: Final = 3650 * DAY_S
SERVING_LIFE_S: Final = 90 * DAY_S
RENEW_AT: Final = 2 / 3
"""The part of its life after which a certificate is replaced."""
BACKDATED_S: Final = 3600.0
"""Clocks of other machines may be behind."""
SETTLE_S: Final = 3600.0
"""How long a new authority is made known before it signs what is served: API servers must have heard of it."""
LOOK_S: Final = 3600.0
"""The longest time between two looks: clocks are set, machines sleep."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the webhook proves itself with, and what proves that.

    `authority` signs; `retired` are the authorities before it that have not expired: what they signed may still
    be served somewhere.
    """

    authority: KeyPair
    serving: KeyPair
    retired: tuple[x509.Certificate, ...] = ()

    @property
    def authorities(self) -> tuple[x509.Certificate, ...]:
        """All that is to be trusted, the newest first."""
        return (self.authority.certificate, *self.retired)


def renewed(identity: Identity | None, names: Sequence[str], now_s: float) -> Identity:
    """What is to be served now; `identity` itself if nothing is due. `names` are the DNS names of the webhook."""
    if identity is None or _left_s(identity.authority.certificate, now_s) <= 0:
        authority = _new_authority(now_s)
        return Identity(authority, _new_serving(authority, names, now_s))
    if now_s >= _due_s(identity.authority.certificate):
        retired = tuple(each for each in identity.authorities if _left_s(each, now_s) > 0)
        identity = replace(identity, authority=_new_authority(now_s), retired=retired)
    broken = not _is_usable(identity, names, now_s)
    if broken or (now_s >= _due_s(identity.serving.certificate) and now_s >= _settled_s(identity)):
        return replace(identity, serving=_new_serving(identity.authority, names, now_s))
    return identity


def next_look_s(identity: Identity, now_s: float) -> float:
    """The seconds until `renewed` may have something to do; at most `LOOK_S`."""
    serving_s = max(_due_s(identity.serving.certificate), _settled_s(identity))
    due_s = min(serving_s, _due_s(identity.authority.certificate))
    return min(LOOK_S, max(1.0, due_s - now_s))


def _is_usable(identity: Identity, names: Sequence[str], now_s: float) -> bool:
    """Whether clients that trust the authorities would take what is served."""
    certificate = identity.serving.certificate
    if _left_s(certificate, now_s) <= 0 or certificate.public_key() != identity.serving.key.public_key():
        return False
    return names_of(certificate) == tuple(names) and any(_signed(certificate, by) for by in identity.authorities)


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names that it is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))


def _left_s(certificate: x509.Certificate, now_s: float) -> float:
    return certificate.not_valid_after_utc.timestamp() - now_s


def _due_s(certificate: x509.Certificate) -> float:
    start_s, end_s = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return start_s + (end_s - start_s) * RENEW_AT


def _settled_s(identity: Identity) -> float:
    """When everybody knows the authority. The first one has nobody to wait for."""
    if not identity.retired:
        return 0.0
    return identity.authority.certificate.not_valid_before_utc.timestamp() + BACKDATED_S + SETTLE_S


def _new_authority(now_s: float) -> KeyPair:
    # Its own number in the name: during a change clients tell two authorities apart by their names.
    return new_authority(f"swell-webhook-ca-{int(now_s)}", _validity(now_s, AUTHORITY_LIFE_S))


def _new_serving(authority: KeyPair, names: Sequence[str], now_s: float) -> KeyPair:
    return issue(authority, "swell-webhook", _validity(now_s, SERVING_LIFE_S), uses=(SERVER,), hosts=names)


def _validity(now_s: float, life_s: float) -> Validity:
    now = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
    return Validity(now - datetime.timedelta(seconds=BACKDATED_S), now + datetime.timedelta(seconds=life_s))
