"""Announcements of pods: there and back, and what is wrong with bad ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swell.wire.announce import Announcement, decode, encode
from swell.wire.errors import WireError

GOOD = Announcement("default", "hello-00001", "hello-00001-x", "uid-1", "127.1.0.2:8012")


def test_an_announcement_survives_the_wire() -> None:
    assert decode(encode(GOOD)) == GOOD
    assert GOOD.host_port == ("127.1.0.2", 8012)


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert Announcement("n", "r", "p", "u", "[::1]:8012").host_port == ("::1", 8012)


def test_a_missing_protocol_is_http1() -> None:
    body = {key: value for key, value in json.loads(encode(GOOD)).items() if key != "protocol"}
    assert decode(json.dumps(body).encode()).protocol == "http1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"uid": ""}, "uid is ''"),
        ({"pod": 3}, "pod is 3"),
        ({"protocol": "spdy"}, "protocol is 'spdy', allowed: http1, h2c"),
        ({"address": "nowhere"}, "address is 'nowhere', allowed: ip:port"),
        ({"address": "1.2.3.4:70000"}, "allowed: ip:port"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(WireError, match=says):
        decode(json.dumps({**json.loads(encode(GOOD)), **change}).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="JSON"):
        decode(body)
