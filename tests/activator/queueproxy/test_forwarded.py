"""`Forwarded` from `X-Forwarded-*`: spec dataplane 3.10, with section 6 on IPv6."""

from __future__ import annotations

import pytest

from activator.queueproxy.forwarded import forwarded

CASES = [
    ("nothing to make it from", {}, None),
    ("case 44", {"X-Forwarded-For": "1.1.1.1"}, b"for=1.1.1.1"),
    ("case 46: there is one", {"Forwarded": "for=a", "X-Forwarded-For": "1.1.1.1"}, None),
    ("an empty one does not count", {"Forwarded": "", "X-Forwarded-For": "1.1.1.1"}, b"for=1.1.1.1"),
    (
        "the reference's example",
        {"X-Forwarded-For": "203.0.113.7, 2001:db8::5", "X-Forwarded-Host": "h", "X-Forwarded-Proto": "https"},
        b'for=203.0.113.7;host=h;proto=https, for="[2001:db8::5]"',
    ),
    ("no node", {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "h"}, b"host=h;proto=https"),
    ("an IPv4 address with a port is no IPv6 address", {"X-Forwarded-For": "1.1.1.1:80"}, b'for="1.1.1.1:80"'),
    ("an IPv6 address with a port", {"X-Forwarded-For": "[2001:db8::5]:80"}, b'for="[2001:db8::5]:80"'),
    ("an obfuscated node", {"X-Forwarded-For": "_gateway"}, b"for=_gateway"),
]


@pytest.mark.parametrize(("headers", "want"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_forwarded(headers: dict[str, str], want: bytes | None) -> None:
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert forwarded({name.lower(): value for name, value in fields}, fields) == want


def test_of_several_lines_the_first_counts() -> None:
    fields = [(b"X-Forwarded-For", b"1.1.1.1"), (b"x-forwarded-for", b"2.2.2.2")]
    assert forwarded({b"x-forwarded-for": b"2.2.2.2"}, fields) == b"for=1.1.1.1"
