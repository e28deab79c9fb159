"""The operator's list of hosts: what its entries are, and which URLs they allow."""

from __future__ import annotations

import pytest

from swell.api.allowed_hosts import Endpoint, endpoint_of, is_allowed, read_hosts


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://prom", Endpoint("prom", 80, "")),
        ("HTTPS://Prom.Example.com/a%20b?c=d&e", Endpoint("prom.example.com", 443, "?c=d&e")),
        ("http://10.0.0.1:9090/", Endpoint("10.0.0.1", 9090, "")),
        ("http://[::1]:9090/x", Endpoint("[::1]", 9090, "")),
        ("http://my_queue.default.svc:8080?x", Endpoint("my_queue.default.svc", 8080, "?x")),
        ("http://prom:", None),
        ("http://-prom/", None),
        ("http://prom/ ", None),
        ("http://prom@evil/", None),
        ("http://prom\\evil/", None),
        ("http://pröm/", None),
        ("//prom/", None),
    ],
)
def test_a_url_leads_to_one_host_or_is_none(url: str, expected: Endpoint | None) -> None:
    assert endpoint_of(url) == expected


@pytest.mark.parametrize(
    ("entries", "url", "expected"),
    [
        ("", "http://prom/", False),
        ("prom", "http://prom:1234/", True),
        ("PROM", "http://prom/", True),
        ("prom:9090", "http://prom:9090/", True),
        ("prom:9090", "http://prom/", False),
        ("prom:443", "https://prom/", True),
        ("*.svc", "http://a.b.svc/", True),
        ("*.svc", "http://svc/", False),
        ("*.svc", "http://evilsvc/", False),
        ("*.svc:80", "http://a.svc:81/", False),
        ("queue, *.svc", "http://queue/", True),
        ("example.com", "http://example.com.evil/", False),
        ("example.com", "http://a.example.com/", False),
        ("[::1]:80", "http://[::1]/", True),
    ],
)
def test_which_urls_the_entries_allow(entries: str, url: str, expected: bool) -> None:
    endpoint = endpoint_of(url)
    assert endpoint is not None
    assert is_allowed(endpoint, read_hosts(entries)) is expected


@pytest.mark.parametrize("entry", ["*", "*.", "http://prom", "prom/", "prom:0", "prom:99999", "a*b", "*.[::1]", "a@b"])
def test_an_entry_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"is not a host, host:port or \*.suffix"):
        read_hosts(f"prom, {entry}")
