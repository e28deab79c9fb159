"""Message heads between HTTP/2 and the rest of the proxy. Pure.

A list of fields is read by writing it down as an HTTP/1.1 head and reading that: one set of rules for both, so nothing
passes in the one that would mean something else in the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from activator.proxy import heads
from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import request_fields, response_fields, split_target
from activator.proxy.http2.compression import encode, encode_field
from activator.proxy.replies import status_line

if TYPE_CHECKING:
    from activator.proxy.headers import Address, Extra, Fields, Named, Origin
    from activator.proxy.heads import Request, Response

# Each name, with a line feed behind it.
_NAMES: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9a-z]++\n)*+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")
# What HTTP/2 says in other ways (RFC 9113 section 8.2.2).
_OF_CONNECTION: Final = frozenset((b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"))
_SCHEMES: Final = frozenset((b"http", b"https"))
_SCHEME: Final = encode_field(b":scheme", b"http")


def read_request(fields: Fields, ended: bool, known: Request | None) -> Request:
    """The request of a header list; `ended`: no body follows. `known` is the one before.

    Raises `RemoteProtocolError`, with status 400 for a malformed one.
    """
    pseudo, rest = _split(fields)
    method, path, authority = (pseudo.pop(name, b"") for name in (b":method", b":path", b":authority"))
    if method == b"CONNECT":
        raise RemoteProtocolError("CONNECT is not supported", 405)
    if pseudo.keys() != {b":scheme"} or not _SCHEMES.issuperset(pseudo.values()):
        raise RemoteProtocolError("malformed request: pseudo-headers missing or unknown")
    if path[:1] != b"/" and (path != b"*" or method != b"OPTIONS"):
        raise RemoteProtocolError("malformed request: no path")
    lines = [b"%b: %b\r\n" % pair for pair in _request_lines(rest, authority)]
    if not ended and not any(name == b"content-length" for name, _ in rest):
        lines.append(b"transfer-encoding: chunked\r\n")
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, path, b"".join(lines))
    request = heads.read_request(head, known)
    # Whatever was to break out of its place, has.
    count = len(request.fields.headers) + bool(request.trace)
    if request.method != method or request.target != path or count != len(lines):
        raise RemoteProtocolError("malformed request")
    if ended and request.fields.has_body:
        raise RemoteProtocolError("malformed request: shorter than its length")
    request.lasting = False
    return request


def _request_lines(rest: Fields, authority: bytes) -> Fields:
    if any(name in _OF_CONNECTION or (name == b"te" and value != b"trailers") for name, value in rest):
        raise RemoteProtocolError("malformed request: a header of HTTP/1.1 connections")
    if authority:
        if any(name == b"host" and value != authority for name, value in rest):
            raise RemoteProtocolError("malformed request: host and authority differ")
        rest = [(b"host", authority), *(pair for pair in rest if pair[0] != b"host")]
    # A list of its own in HTTP/2, which others must get in one line (RFC 9113 section 8.2.3).
    crumbs = [value for name, value in rest if name == b"cookie"]
    if len(crumbs) > 1:
        rest = [*(pair for pair in rest if pair[0] != b"cookie"), (b"cookie", b"; ".join(crumbs))]
    return rest


def read_response(fields: Fields) -> Response:
    """The response of a header list. Raises `RemoteProtocolError`, with status 502."""
    try:
        pseudo, rest = _split(fields)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"malformed HTTP response: {error}", 502) from error
    status = pseudo.get(b":status", b"")
    if len(pseudo) != 1 or len(status) != 3 or not status.isdigit() or any(name in _OF_CONNECTION for name, _ in rest):
        raise RemoteProtocolError("malformed HTTP response", 502)
    lines = [b"%b: %b\r\n" % pair for pair in rest]
    response = heads.Response(b"%b%b\r\n" % (status_line(int(status)), b"".join(lines)))
    if len(response.headers) != len(lines):
        raise RemoteProtocolError("malformed HTTP response", 502)
    return response


def check_trailers(fields: Fields) -> None:
    """Raises `RemoteProtocolError` for what cannot be trailers."""
    pseudo, rest = _split(fields)
    if pseudo or any(name in _OF_CONNECTION or not _VALUE.fullmatch(value) for name, value in rest):
        raise RemoteProtocolError("malformed trailers")


def request_block(
    request: Request,
    origin: Origin,
    address: Address,
    set_headers: Extra,
    drop_headers: frozenset[bytes],
    trace: bytes = b"",
) -> bytes:
    """The header block to send to `address`, as `Request.sent_as` is the head."""
    fields, target, host = request.fields, request.target, request.fields.named.get(b"host")
    if target[:1] != b"/" and target != b"*":
        host, target = split_target(target)
    elif host is None:
        host = b"%b:%d" % (address[0].encode(), address[1])
    sent = fields.sent_block
    if sent is None or sent[0] != set_headers or (sent[1] is not drop_headers and sent[1] != drop_headers):
        pairs = request_fields(fields, origin, set_headers, drop_headers)
        block = encode(pair for pair in pairs if pair[0] != b"host")
        fields.sent_block = sent = (set_headers, drop_headers, block)
    authority = next((value for name, value in set_headers if name == b"host"), host)
    trace = request.trace or trace
    return b"%b%b%b%b%b%b" % (
        encode_field(b":method", request.method),
        _SCHEME,
        encode_field(b":path", target),
        encode_field(b":authority", authority),
        sent[2],
        encode_field(b"traceparent", trace) if trace else b"",
    )


def response_block(response: Response) -> bytes:
    """The header block to pass on for a response; made once for all that are alike."""
    block = response.block
    if block is None:
        status = encode_field(b":status", b"%d" % response.status)
        response.block = block = status + encode(response_fields(response))
    return block


def _split(fields: Fields) -> tuple[Named, Fields]:
    """Pseudo-headers by name, and what follows them. Raises `RemoteProtocolError`."""
    count = 0
    for name, _ in fields:
        if name[:1] != b":":
            break
        count += 1
    pseudo, rest = dict(fields[:count]), fields[count:]
    if len(pseudo) != count or not _NAMES.fullmatch(b"".join([name + b"\n" for name, _ in rest])):
        raise RemoteProtocolError("malformed header name")
    return pseudo, rest
