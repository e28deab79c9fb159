"""Message heads: bytes to fields. Knows what HTTP/1.1 allows in a head, and refuses what could be read in two ways."""

from __future__ import annotations

from typing import Final

import httptools

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.headers import Address, Extra, Fields, Named, host_name, request_head, split_target, tokens

# A head that is larger is not remembered for the next message.
HEAD_KEPT_BYTES_MAX: Final = 8 * 1024
# Two of these could be read in two ways.
_SINGLE: Final = (b"content-length", b"transfer-encoding", b"host")


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
            options = tokens(headers, b"connection")
            self.keep_alive = b"close" not in options if version == "1.1" else b"keep-alive" in options

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
        if len(head) <= HEAD_KEPT_BYTES_MAX:
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
            options = tokens(headers, b"connection")
            self.keep_alive = b"close" not in options if modern else b"keep-alive" in options
        else:
            self.keep_alive = modern


def _refuse_twice(headers: Fields) -> None:
    """Raises `RemoteProtocolError` if a header that may occur once occurs twice."""
    names = [name.lower() for name, _ in headers]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise RemoteProtocolError(f"more than one {name.decode().title()} header")


def _line_status(head: bytes) -> int:
    version = head.partition(b"\r\n")[0].rpartition(b" ")[2]
    return 505 if version.startswith(b"HTTP/") and not version.startswith(b"HTTP/1.") else 400
