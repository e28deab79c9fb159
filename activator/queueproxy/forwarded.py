"""The `Forwarded` header for apps that read it, made from `X-Forwarded-*` (spec dataplane 3.10, RFC 7239). Pure."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from swell.wire import headers

Fields = Sequence[tuple[bytes, bytes]]


def forwarded(named: Mapping[bytes, bytes], fields: Fields) -> bytes | None:
    """The value to add, or None if the request has a `Forwarded` or nothing to make one from.

    `named` are the request's headers by lower-case name, `fields` all of them in order: of several lines
    the first counts. The caller that sent us the request is not in them.
    """
    if named.get(headers.FORWARDED):
        return None
    if len(named) != len(fields):
        named = {name.lower(): value for name, value in reversed(fields)}
    nodes = named.get(headers.FORWARDED_FOR)
    host = named.get(headers.FORWARDED_HOST)
    proto = named.get(headers.FORWARDED_PROTO)
    if not (nodes or host or proto):
        return None
    origin, *proxies = [b"for=" + _node(node.strip()) for node in nodes.split(b",")] if nodes else [b""]
    pairs = (origin, host and b"host=" + host, proto and b"proto=" + proto)
    return b", ".join((b";".join(pair for pair in pairs if pair), *proxies))


def _node(node: bytes) -> bytes:
    """A node identifier; one with a colon must be quoted, and an IPv6 address stand in brackets as well."""
    if b":" not in node:
        return node
    return b'"[%b]"' % node if _is_ipv6(node) else b'"%b"' % node.strip(b'"')


def _is_ipv6(node: bytes) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, node.decode("latin-1"))
    except (OSError, UnicodeEncodeError):
        return False
    return True
