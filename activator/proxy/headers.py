"""Headers on their way through: what a proxy takes off and adds (spec dataplane 1.5). Pure.

A head that needs no change is passed on as the bytes that came in: most do, and nothing is cheaper.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from activator.proxy.errors import RemoteProtocolError

if TYPE_CHECKING:
    from activator.proxy.heads import Request, RequestFields, Response

Fields = list[tuple[bytes, bytes]]
Extra = tuple[tuple[bytes, bytes], ...]
Named = dict[bytes, bytes]
Address = tuple[str, int]


class Origin(NamedTuple):
    """Where a connection's requests come from; `dropped` are the headers of theirs that are not believed."""

    ip: bytes
    dropped: frozenset[bytes]


# What a host and its port are made of (RFC 3986 section 3.2.2); a user in front of it is nobody's business.
_HOST: Final = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=%:\[\]]*+")
NO_NAMES: Final[frozenset[bytes]] = frozenset()

# Of one connection, not of the message.
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"upgrade",
    }
)
# Also hop-by-hop, but chunks and trailers are passed on as they came.
CHUNKING: Final = frozenset({b"transfer-encoding", b"trailer"})
FORWARDED_FOR: Final = b"x-forwarded-for"

_UNCHANGED_REQUEST: Final = HOP_BY_HOP | CHUNKING | {FORWARDED_FOR}
_UNCHANGED_RESPONSE: Final = HOP_BY_HOP | CHUNKING
# What a caller's Connection header cannot take off: without them the message would be another one.
_NEVER_DROPPED: Final = frozenset({b"host", b"content-length"})


def request_tail(fields: RequestFields, origin: Origin, set_headers: Extra, drop_headers: frozenset[bytes]) -> bytes:
    """All that is to be sent from the minor version on, for the fields that were read from `origin`.

    Names in `set_headers` and `drop_headers` are in lower case; what is set replaces all of its name.
    """
    if origin.dropped:
        drop_headers |= origin.dropped
    added, gone = _changes(set_headers, drop_headers)
    if fields.version == "1.1" and gone.isdisjoint(fields.named):
        return b"%b%bX-Forwarded-For: %b\r\n\r\n" % (fields.raw[:-2], added, origin.ip)
    pairs = _passed_on(fields, origin, gone, set_headers, drop_headers)
    return b"".join((b"1\r\n", *(b"%b: %b\r\n" % pair for pair in pairs), _put_back(fields), b"\r\n"))


def request_fields(fields: RequestFields, origin: Origin, set_headers: Extra, drop_headers: frozenset[bytes]) -> Fields:
    """As `request_tail`, for HTTP/2: names are in lower case, and the body's framing is not a header's business."""
    if origin.dropped:
        drop_headers |= origin.dropped
    pairs = _passed_on(fields, origin, _changes(set_headers, drop_headers)[1], set_headers, drop_headers)
    if _takes_trailers(fields):
        pairs.append((b"te", b"trailers"))
    return [(name.lower(), value.rstrip(b" \t")) for name, value in pairs]


def _passed_on(
    fields: RequestFields, origin: Origin, gone: frozenset[bytes], set_headers: Extra, drop_headers: frozenset[bytes]
) -> Fields:
    """The fields that go on whatever the next hop speaks."""
    if b"connection" in fields.named:
        gone |= _connection_gone(fields.headers, fields.named)
    pairs = [(name, value) for name, value in fields.headers if name.lower() not in gone]
    return [*pairs, *set_headers, *_forwarded_for(fields, origin.ip, set_headers, drop_headers)]


def request_head(
    request: Request, origin: Origin, address: Address, set_headers: Extra, drop_headers: frozenset[bytes]
) -> bytes:
    """The head to send to `address` for a request whose own line or host does not fit there."""
    target, host = request.target, request.fields.named.get(b"host")
    if target[:1] != b"/" and target != b"*":
        host, target = split_target(target)
    elif host is None:
        # Without any host, it is the address that we send to.
        host = b"%b:%d" % (address[0].encode(), address[1])
    line = b"%b %b HTTP/1." % (request.method, target)
    if b"host" not in drop_headers and all(name != b"host" for name, _ in set_headers):
        set_headers = ((b"Host", host), *set_headers)
        drop_headers |= {b"host"}
    return line + request_tail(request.fields, origin, set_headers, drop_headers)


@functools.lru_cache(maxsize=256)
def _changes(set_headers: Extra, drop_headers: frozenset[bytes]) -> tuple[bytes, frozenset[bytes]]:
    """The lines that are added, and the names that are not passed on as they are. Most requests ask for the same."""
    replaced = frozenset(name for name, _ in set_headers)
    return b"".join(b"%b: %b\r\n" % pair for pair in set_headers), _UNCHANGED_REQUEST | drop_headers | replaced


def _put_back(fields: RequestFields) -> bytes:
    """Hop-by-hop headers that also hold on the next hop, because we pass on what they speak of."""
    named = fields.named
    lines = b""
    if b"transfer-encoding" in named:
        lines += b"Transfer-Encoding: chunked\r\n"
        if b"trailer" in named:
            lines += b"Trailer: %b\r\n" % named[b"trailer"]
    if _takes_trailers(fields):
        lines += b"Te: trailers\r\n"
    if fields.upgrade:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % named[b"upgrade"]
    return lines


def _takes_trailers(fields: RequestFields) -> bool:
    return b"te" in fields.named and b"trailers" in tokens(fields.headers, b"te")


def _forwarded_for(fields: RequestFields, peer_ip: bytes, set_headers: Extra, drop_headers: frozenset[bytes]) -> Extra:
    if any(name == FORWARDED_FOR for name, _ in set_headers):
        return ()
    values = []
    if FORWARDED_FOR in fields.named and FORWARDED_FOR not in drop_headers:
        values = [value for name, value in fields.headers if name.lower() == FORWARDED_FOR]
    return ((b"X-Forwarded-For", b", ".join([*values, peer_ip])),)


def response_head(response: Response, added: bytes, chunked: bool) -> bytes:
    """The head to pass on for a response; its own bytes if nothing has to change.

    `added` are whole header lines. `chunked`: the body goes on in chunks as it comes.
    """
    head, named = response.head, response.named
    same = HOP_BY_HOP if chunked else _UNCHANGED_RESPONSE
    if same.isdisjoint(named) and head.startswith(b"HTTP/1.1 "):
        return b"%b%b\r\n" % (head[:-2], added) if added else head
    gone = same | _connection_gone(response.headers, named)
    lines = [b"HTTP/1.1 ", head[9 : head.find(b"\r\n") + 2]]
    lines += [b"%b: %b\r\n" % pair for pair in response.headers if pair[0].lower() not in gone]
    lines.append(added)
    lines.append(b"\r\n")
    return b"".join(lines)


def response_fields(response: Response) -> Fields:
    """The fields to pass on for a response over HTTP/2, with names in lower case."""
    gone = HOP_BY_HOP | _connection_gone(response.headers, response.named) | {b"transfer-encoding"}
    pairs = [(name.lower(), value.rstrip(b" \t")) for name, value in response.headers]
    return [pair for pair in pairs if pair[0] not in gone]


def _connection_gone(headers: Fields, named: Named) -> frozenset[bytes]:
    if b"connection" not in named:
        return NO_NAMES
    return tokens(headers, b"connection") - _NEVER_DROPPED


def host_name(value: bytes) -> str:
    """The host of a Host header or an authority: lower case, without port. Raises `RemoteProtocolError`."""
    if not _HOST.fullmatch(value):
        raise RemoteProtocolError("malformed Host header")
    host = value.decode("latin-1").lower()
    colon = host.rfind(":")
    if colon >= 0 and host.find("]", colon) < 0:
        host = host[:colon]
    return host


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Authority and path of a target in absolute form; it overrules the Host header (RFC 9112 section 3.2.2)."""
    scheme, found, rest = target.partition(b"://")
    if not found or scheme.lower() not in (b"http", b"https"):
        raise RemoteProtocolError("malformed request target")
    cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    if not authority or b"@" in authority:
        raise RemoteProtocolError("malformed request target")
    return authority, path if path[:1] == b"/" else b"/" + path


def tokens(headers: Fields, wanted: bytes) -> frozenset[bytes]:
    """The tokens of all headers of this name, in lower case."""
    values = [value for name, value in headers if name.lower() == wanted]
    return frozenset(token.strip().lower() for token in b",".join(values).split(b","))
