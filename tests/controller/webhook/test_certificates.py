"""Certificates over years of virtual time: one that clients trust is always served, and nothing is made in vain."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from controller.webhook import certificates
from controller.webhook.certificates import DAY_S, LOOK_S, SETTLE_S, Identity, names_of, next_look_s, renewed
from controller.webhook.secret import bundle, identity_of, secret_of

NAMES = ("webhook.sys.svc", "webhook.sys.svc.cluster.local")
NOW_S = 1_800_000_000.0


def is_trusted(identity: Identity, authorities: bytes, now_s: float) -> bool:
    """Whether somebody who knows `authorities` takes what `identity` serves."""
    serving = identity.serving.certificate
    (signer,) = (each for each in identity.authorities if each.subject == serving.issuer)
    pem = signer.public_bytes(Encoding.PEM)
    life = serving.not_valid_before_utc.timestamp(), serving.not_valid_after_utc.timestamp()
    return pem in authorities and life[0] <= now_s < life[1] and now_s < signer.not_valid_after_utc.timestamp()


def test_the_first_identity_is_made_at_once_and_kept() -> None:
    first = renewed(None, NAMES, NOW_S)
    assert is_trusted(first, bundle(first), NOW_S)
    assert names_of(first.serving.certificate) == NAMES
    assert renewed(first, NAMES, NOW_S) is first
    assert renewed(first, NAMES, NOW_S + 59 * DAY_S) is first


def test_the_serving_certificate_is_renewed_long_before_it_ends_and_the_authority_stays() -> None:
    first = renewed(None, NAMES, NOW_S)
    second = renewed(first, NAMES, NOW_S + 61 * DAY_S)
    assert second.authority is first.authority
    assert second.serving.certificate.not_valid_after_utc > first.serving.certificate.not_valid_after_utc
    left_s = first.serving.certificate.not_valid_after_utc.timestamp() - (NOW_S + 61 * DAY_S)
    assert left_s > 28 * DAY_S


def test_for_thirty_years_who_trusts_what_was_known_an_hour_ago_trusts_what_is_served() -> None:
    identity = renewed(None, NAMES, NOW_S)
    known = bundle(identity)
    now_s, authorities, servings = (
        NOW_S,
        {identity.authority.certificate.subject},
        {identity.serving.certificate.serial_number},
    )
    while now_s < NOW_S + 30 * 365 * DAY_S:
        # Nothing is due in between; looks come at most an hour apart.
        now_s += next_look_s(identity, now_s) if next_look_s(identity, now_s) < LOOK_S else DAY_S
        identity = renewed(identity, NAMES, now_s)
        assert is_trusted(identity, known, now_s)
        known = bundle(identity)
        assert len(identity.retired) <= 1
        authorities.add(identity.authority.certificate.subject)
        servings.add(identity.serving.certificate.serial_number)
    assert len(authorities) == 5
    assert 180 <= len(servings) <= 185


def test_a_new_authority_is_made_known_before_it_signs() -> None:
    now_s, before = NOW_S, renewed(None, NAMES, NOW_S)
    while not (identity := renewed(before, NAMES, now_s)).retired:
        before, now_s = identity, now_s + DAY_S
    assert identity.retired == (before.authority.certificate,)
    assert identity.serving is before.serving
    # The serving certificate's own turn comes now: it waits until everybody has heard.
    due_s = before.serving.certificate.not_valid_before_utc.timestamp() + 61 * DAY_S
    after = renewed(identity, NAMES, max(due_s, now_s + SETTLE_S))
    assert after.serving.certificate.issuer == identity.authority.certificate.subject
    assert is_trusted(after, bundle(identity), max(due_s, now_s + SETTLE_S))


@pytest.mark.parametrize("why", ["another namespace", "expired", "a key that is another's", "signed by nobody known"])
def test_what_nobody_would_take_is_replaced_at_once(why: str) -> None:
    identity, now_s, names = renewed(None, NAMES, NOW_S), NOW_S, NAMES
    other = renewed(None, NAMES, NOW_S)
    match why:
        case "another namespace":
            names = ("webhook.other.svc",)
        case "expired":
            now_s += 91 * DAY_S
        case "a key that is another's":
            identity = dataclasses.replace(
                identity, serving=dataclasses.replace(identity.serving, key=other.serving.key)
            )
        case _:
            identity = dataclasses.replace(identity, serving=other.serving)
    new = renewed(identity, names, now_s)
    assert new.serving.certificate != identity.serving.certificate
    assert names_of(new.serving.certificate) == names
    assert is_trusted(new, bundle(identity), now_s)


def test_an_authority_that_has_ended_is_forgotten() -> None:
    first = renewed(None, NAMES, NOW_S)
    now_s = NOW_S + certificates.AUTHORITY_LIFE_S + DAY_S
    new = renewed(first, NAMES, now_s)
    assert new.retired == ()
    assert is_trusted(new, bundle(new), now_s)


def test_an_identity_goes_through_its_secret_unchanged() -> None:
    old = renewed(None, NAMES, NOW_S)
    identity = renewed(old, NAMES, NOW_S + 0.7 * certificates.AUTHORITY_LIFE_S)
    secret = secret_of(identity, "sys", None)
    found = identity_of(secret)
    assert found is not None
    assert found.authorities == identity.authorities
    assert found.serving.certificate == identity.serving.certificate
    assert secret_of(found, "sys", secret) == secret


def test_a_secret_that_cannot_be_used_is_as_none() -> None:
    good = secret_of(renewed(None, NAMES, NOW_S), "sys", None)
    other = secret_of(renewed(None, NAMES, NOW_S), "sys", None)
    assert identity_of(None) is None
    assert identity_of({**good, "data": None}) is None
    for key in good["data"]:
        for value in ("", "%", base64.b64encode(b"no pem").decode()):
            assert identity_of({**good, "data": {**good["data"], key: value}}) is None, (key, value)
    assert identity_of({**good, "data": {**good["data"], "ca.key": other["data"]["ca.key"]}}) is None
