"""Message heads: bytes to fields and back, and what a proxy takes off and adds (spec dataplane 1.5). Pure.

A head that needs no change is passed on as the bytes that came in: most do, and nothing is cheaper.
"""

from __future__ import annotations

import functools
from typing import Final

import httptools

from activator.proxy.errors import RemoteProtocolError

Fields = list[tuple[bytes, bytes]]
Extra = tuple[tuple[bytes, bytes], ...]
Named = dict[bytes, bytes]
Address = tuple[str, int]

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
# Two of these could be read in two ways.
_SINGLE: Final = (b"content-length", b"transfer-encoding", b"host")
_NO_NAMES: Final[frozenset[bytes]] = frozenset()


class RequestReader:
    """Reads one request head after another. The fields are those of the last one read."""

    __slots__ = (
        "_host",
        "_parser",
        "_sent",
        "head",
        "headers",
        "host",
        "keep_alive",
        "method",
        "named",
        "target",
        "upgrade",
        "version",
    )

    def __init__(self) -> None:
        self._parser: httptools.HttpRequestParser | None = None
        # Most requests of a connection are for one host, and many are like the one before.
        self._host = b""
        self._sent: tuple[Extra, frozenset[bytes], bytes] | None = None
        self.head = b""
        self.method = b""
        self.target = b""
        self.version = ""
        self.host = ""
        self.headers: Fields = []
        self.named: Named = {}
        self.keep_alive = False
        self.upgrade = False

    # Called by the parser.

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def read(self, head: bytes) -> None:
        """Take the fields from a whole head. Raises `RemoteProtocolError` for what HTTP/1.1 does not allow.

        A head that equals the one before is not read again; so `headers` and `named` must not be changed.
        """
        if head == self.head:
            return
        # Whatever fails from here on, this head is not known.
        self.head = b""
        self._read(head)
        self.head = head

    def forget(self) -> None:
        """Keep nothing of the last head."""
        self.__init__()  # type: ignore[misc]

    def _read(self, head: bytes) -> None:
        parser = self._parser or httptools.HttpRequestParser(self)
        self._parser = None
        self._sent = None
        headers: Fields = []
        self.headers = headers
        self.upgrade = False
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            self.upgrade = True
        except httptools.HttpParserError as error:
            raise RemoteProtocolError(str(error)) from error
        self.method = method = parser.get_method()
        at = len(method) + 1 + len(self.target)
        if head[at : at + 8] != b" HTTP/1.":
            # The parser knows other protocols, and overlooks spaces that others may not.
            raise RemoteProtocolError("malformed request line, or not HTTP/1.x", _line_status(head))
        self.version = version = "1.1" if head[at + 8] == 0x31 else "1.0"
        self.named = named = {name.lower(): value.strip() for name, value in headers}
        if len(named) != len(headers):
            _refuse_twice(headers)
        self._read_host(named)
        connection = named.get(b"connection")
        if connection is None:
            self.keep_alive = version == "1.1"
            # A parser that is to see a body, or that closes, cannot take another head.
            if self.keep_alive and b"content-length" not in named and b"transfer-encoding" not in named:
                self._parser = parser
        else:
            tokens = _tokens(headers, b"connection")
            self.keep_alive = b"close" not in tokens if version == "1.1" else b"keep-alive" in tokens

    def sent_as(self, peer_ip: bytes, address: Address, set_headers: Extra, drop_headers: frozenset[bytes]) -> bytes:
        """`request_head` of this request; made only once for requests that are alike."""
        sent = self._sent
        if sent is not None and sent[0] == set_headers and sent[1] == drop_headers:
            return sent[2]
        head = request_head(self, peer_ip, address, set_headers, drop_headers)
        if b"host" in self.named:
            self._sent = (set_headers, drop_headers, head)
        return head

    def check(self, part: bytes) -> None:
        """Raises `RemoteProtocolError` if no head can begin with `part`."""
        try:
            httptools.HttpRequestParser(self).feed_data(part)
        except httptools.HttpParserError as error:
            raise RemoteProtocolError(str(error)) from error

    def _read_host(self, named: Named) -> None:
        target = self.target
        if self.method == b"CONNECT":
            raise RemoteProtocolError("CONNECT is not supported", 405)
        host = named.get(b"host")
        if target[:1] != b"/" and target != b"*":
            host = split_target(target)[0]
        elif host is None:
            if self.version == "1.1":
                raise RemoteProtocolError("missing required Host header")
            host = b""
        if host != self._host:
            self._host = host
            self.host = host_name(host)


class ResponseReader:
    """Reads response heads. The fields are those of the last one read."""

    __slots__ = ("head", "headers", "keep_alive", "named", "status")

    def __init__(self) -> None:
        self.head = b""
        self.status = 0
        self.headers: Fields = []
        self.named: Named = {}
        self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def read(self, head: bytes) -> None:
        """Take the fields from a whole head. Raises `RemoteProtocolError`, with status 502.

        A head that equals the one before is not read again.
        """
        if head == self.head:
            return
        self.head = b""
        self._read(head)
        self.head = head

    def _read(self, head: bytes) -> None:
        parser = httptools.HttpResponseParser(self)
        headers: Fields = []
        self.headers = headers
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # a 101, and bytes of another protocol behind it
        except httptools.HttpParserError as error:
            raise RemoteProtocolError(f"malformed HTTP response: {error}", 502) from error
        self.status = status = parser.get_status_code()
        modern = head.startswith(b"HTTP/1.1 ")
        if status < 100 or not (modern or head.startswith(b"HTTP/1.0 ")):
            raise RemoteProtocolError(f"malformed HTTP response: {head[:32]!r}", 502)
        self.named = named = {name.lower(): value.strip() for name, value in headers}
        if b"connection" in named:
            tokens = _tokens(headers, b"connection")
            self.keep_alive = b"close" not in tokens if modern else b"keep-alive" in tokens
        else:
            self.keep_alive = modern


def request_head(
    request: RequestReader, peer_ip: bytes, address: Address, set_headers: Extra, drop_headers: frozenset[bytes]
) -> bytes:
    """The head to send to `address` for the request that was read from the caller at `peer_ip`.

    Names in `set_headers` and `drop_headers` are in lower case; what is set replaces all of its name.
    """
    named = request.named
    added, gone = _changes(set_headers, drop_headers)
    plain = request.version == "1.1" and request.target[:1] == b"/"
    if plain and gone.isdisjoint(named):
        return b"%b%bX-Forwarded-For: %b\r\n\r\n" % (request.head[:-2], added, peer_ip)
    lines = [_request_line(request)]
    if b"connection" in named:
        gone |= _connection_gone(request.headers, named)
    if not plain and (host := _other_host(request, address)) and b"host" not in gone:
        lines.append(b"Host: %b\r\n" % host)
        gone |= {b"host"}
    lines += [b"%b: %b\r\n" % pair for pair in request.headers if pair[0].lower() not in gone]
    lines += (_put_back(request), added, _forwarded_for(request, peer_ip, set_headers, drop_headers), b"\r\n")
    return b"".join(lines)


@functools.lru_cache(maxsize=256)
def _changes(set_headers: Extra, drop_headers: frozenset[bytes]) -> tuple[bytes, frozenset[bytes]]:
    """The lines that are added, and the names that are not passed on as they are. Most requests ask for the same."""
    replaced = frozenset(name for name, _ in set_headers)
    return b"".join(b"%b: %b\r\n" % pair for pair in set_headers), _UNCHANGED_REQUEST | drop_headers | replaced


def _request_line(request: RequestReader) -> bytes:
    target = request.target
    if target[:1] != b"/" and target != b"*":
        target = split_target(target)[1]
    return b"%b %b HTTP/1.1\r\n" % (request.method, target)


def _other_host(request: RequestReader, address: Address) -> bytes:
    """A target in absolute form names the host; without any host, it is the address that we send to."""
    if request.target[:1] != b"/" and request.target != b"*":
        return split_target(request.target)[0]
    if b"host" not in request.named:
        return b"%b:%d" % (address[0].encode(), address[1])
    return b""


def _put_back(request: RequestReader) -> bytes:
    """Hop-by-hop headers that also hold on the next hop, because we pass on what they speak of."""
    named = request.named
    lines = b""
    if b"transfer-encoding" in named:
        lines += b"Transfer-Encoding: chunked\r\n"
        if b"trailer" in named:
            lines += b"Trailer: %b\r\n" % named[b"trailer"]
    if b"te" in named and b"trailers" in _tokens(request.headers, b"te"):
        lines += b"Te: trailers\r\n"
    if request.upgrade:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % named[b"upgrade"]
    return lines


def _forwarded_for(request: RequestReader, peer_ip: bytes, set_headers: Extra, drop_headers: frozenset[bytes]) -> bytes:
    if any(name == FORWARDED_FOR for name, _ in set_headers):
        return b""
    values = []
    if FORWARDED_FOR in request.named and FORWARDED_FOR not in drop_headers:
        values = [value for name, value in request.headers if name.lower() == FORWARDED_FOR]
    return b"X-Forwarded-For: %b\r\n" % b", ".join([*values, peer_ip])


def response_head(response: ResponseReader, head: bytes, added: bytes, chunked: bool) -> bytes:
    """The head to pass on for the response that was read; `head` itself if nothing has to change.

    `added` are whole header lines. `chunked`: the body goes on in chunks as it comes.
    """
    named = response.named
    same = HOP_BY_HOP if chunked else _UNCHANGED_RESPONSE
    if same.isdisjoint(named) and head.startswith(b"HTTP/1.1 "):
        return b"%b%b\r\n" % (head[:-2], added) if added else head
    gone = same | _connection_gone(response.headers, named)
    lines = [b"HTTP/1.1 ", head[9 : head.find(b"\r\n") + 2]]
    lines += [b"%b: %b\r\n" % pair for pair in response.headers if pair[0].lower() not in gone]
    lines.append(added)
    lines.append(b"\r\n")
    return b"".join(lines)


def _connection_gone(headers: Fields, named: Named) -> frozenset[bytes]:
    if b"connection" not in named:
        return _NO_NAMES
    return _tokens(headers, b"connection") - _NEVER_DROPPED


def host_name(value: bytes) -> str:
    """The host of a Host header or an authority: lower case, without port."""
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


def _tokens(headers: Fields, wanted: bytes) -> frozenset[bytes]:
    """The tokens of all headers of this name, in lower case."""
    values = [value for name, value in headers if name.lower() == wanted]
    return frozenset(token.strip().lower() for token in b",".join(values).split(b","))


def _refuse_twice(headers: Fields) -> None:
    """Raises `RemoteProtocolError` if a header that may occur once occurs twice."""
    names = [name.lower() for name, _ in headers]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise RemoteProtocolError(f"more than one {name.decode().title()} header")


def _line_status(head: bytes) -> int:
    version = head.partition(b"\r\n")[0].rpartition(b" ")[2]
    return 505 if version.startswith(b"HTTP/") and not version.startswith(b"HTTP/1.") else 400
