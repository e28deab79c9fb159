"""Message heads: bytes to fields. Knows what HTTP/1.1 allows in a head, and refuses what could be read in two ways.

One regular expression reads all header lines in one go: a parser that calls back for each of them costs three
times as much (bench.proxy). What a head says is never changed, so heads that are alike share it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from activator.proxy.errors import RemoteProtocolError
from activator.proxy.framing import request_body, response_length
from activator.proxy.headers import (
    Address,
    Extra,
    Fields,
    Named,
    Origin,
    host_name,
    request_head,
    request_tail,
    response_head,
    split_target,
    tokens,
)

# How a connection begins that speaks HTTP/2; it looks like a head so that nothing else takes it for one of its own.
HTTP2_HEAD: Final = b"PRI * HTTP/2.0\r\n\r\n"
# A head that is larger is not remembered for the next message.
HEAD_KEPT_BYTES_MAX: Final = 8 * 1024

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TARGET: Final = rb"[\x21-\x7e]++"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*+"
_REQUEST_LINE: Final = re.compile(rb"(%b) (%b) HTTP/1\.([01])\r\n" % (_TOKEN, _TARGET))
# The front door ends the heads that it sends with a line that differs from request to request: where it begins, and
# its value, counted from the end.
_TRACE_NAME: Final = b"\r\ntraceparent: "
_TRACE_VALUE: Final = slice(-59, -4)
_TRACE_LINE: Final = slice(-59 - len(_TRACE_NAME), -59)
# The same as far as it has come.
_REQUEST_LINE_BEGINS: Final = re.compile(rb"%b(?: (?:%b(?: [HTP/0-9.]*+\r?+)?+)?+)?+" % (_TOKEN, _TARGET))
_OTHER_VERSION: Final = re.compile(rb"HTTP/(?:[02-9]|1[0-9])")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: %b)?\r\n" % _TEXT)
# A header line; or, without a name, all the rest. So every match begins where the one before has ended, and
# what is no header line is found as the last match.
_FIELD_OR_REST: Final = re.compile(rb"(%b):[ \t]*+(%b)\r\n|(?s:.)++" % (_TOKEN, _TEXT))


class RequestFields:
    """What a request's head says behind its target, and what follows from that.

    `headers` are as received, `named` has the last value of each by lower-case name; `host` is None without a
    Host header. Requests of one connection that differ in nothing but method and target share one of these. `memo` is
    the dispatcher's: what it has found out from the headers. `traced`: a `traceparent` ended the head, and is with the
    requests.
    """

    __slots__ = (
        "has_body",
        "headers",
        "host",
        "keep_alive",
        "memo",
        "named",
        "raw",
        "sent",
        "sent_block",
        "traced",
        "upgrade",
        "version",
    )

    def __init__(self, raw: bytes, traced: bool = False) -> None:
        """From the minor version on, to the end of the head. Raises `RemoteProtocolError`."""
        self.raw = raw
        self.traced = traced
        self.version = version = "1.1" if raw[:1] == b"1" else "1.0"
        self.headers, self.named = headers, named = _read_fields(raw, 3)
        self.has_body = request_body(named, version) is not None
        host = named.get(b"host")
        self.host = None if host is None else host_name(host)
        self.upgrade = False
        if b"connection" in named:
            options = tokens(headers, b"connection")
            self.keep_alive = b"close" not in options if version == "1.1" else b"keep-alive" in options
            # h2c would carry requests past all that is done here: what asks for it is served as HTTP/1.1.
            self.upgrade = b"upgrade" in options and named.get(b"upgrade", b"").lower() not in (b"", b"h2c")
        else:
            self.keep_alive = version == "1.1"
        # What goes to the app in their place, but for the end, and for which headers to set and drop; kept for the
        # next request.
        self.sent: tuple[Extra, frozenset[bytes], bytes] | None = None
        self.sent_block: tuple[Extra, frozenset[bytes], bytes] | None = None
        self.memo: Any = None


class Request:
    """A request's head. `host` is in lower case and without port, "" if absent; `target` as it came.

    `begin` is all before the minor version, if the head can be sent on with it as it is. `lasting`: an answer of
    known length needs no change for this caller, and the connection may stay. `trace` is the value of a `traceparent`
    that ends the head, else b"": it is not among the `fields`, which so can be those of the request before.
    """

    __slots__ = ("begin", "fields", "head", "host", "lasting", "method", "target", "trace")

    def __init__(
        self, head: bytes, method: bytes, target: bytes, begin: bytes, fields: RequestFields, trace: bytes = b""
    ) -> None:
        self.head = head
        self.method = method
        self.target = target
        self.begin = begin
        self.fields = fields
        self.trace = trace
        self.host = fields.host or ""
        self.lasting = fields.keep_alive and fields.version == "1.1" and method != b"HEAD"

    def sent_as(
        self,
        origin: Origin,
        address: Address,
        set_headers: Extra,
        drop_headers: frozenset[bytes],
        trace: bytes = b"",
    ) -> bytes:
        """The head to send to `address`. All requests with the same fields must have come from the same origin.

        `trace` is a `traceparent` to end it with, where the request has not: that goes on, whatever is dropped.
        """
        trace = self.trace or trace
        if not self.begin:
            head = request_head(self, origin, address, set_headers, drop_headers)
            return b"%btraceparent: %b\r\n\r\n" % (head[:-2], trace) if trace else head
        sent = self.fields.sent
        if sent is None or sent[0] != set_headers or (sent[1] is not drop_headers and sent[1] != drop_headers):
            tail = request_tail(self.fields, origin, set_headers, drop_headers)[:-2]
            self.fields.sent = sent = (set_headers, drop_headers, tail)
        if trace:
            return b"%b%btraceparent: %b\r\n\r\n" % (self.begin, sent[2], trace)
        return b"%b%b\r\n" % (self.begin, sent[2])


def read_request(head: bytes, known: Request | None) -> Request:
    """Read a whole head; `known` is the one before. Raises `RemoteProtocolError`."""
    trace = _trace_at_end(head)
    if trace and known is not None and known.trace and head[: _TRACE_VALUE.start] == known.head[: _TRACE_VALUE.start]:
        return Request(head, known.method, known.target, known.begin, known.fields, trace)
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise _bad_request_line(head)
    method, target, _ = line.groups()
    cut = line.start(3)
    raw = head[cut : _TRACE_LINE.start] + b"\r\n\r\n" if trace else head[cut:]
    if known is not None and known.fields.raw == raw and known.fields.traced == bool(trace):
        fields = known.fields
    else:
        fields = RequestFields(raw, bool(trace))
    if target[:1] == b"/" and fields.host is not None and fields.version == "1.1" and method != b"CONNECT":
        return Request(head, method, target, head[:cut], fields, trace)
    return _read_unusual(head, method, target, fields, trace)


def _trace_at_end(head: bytes) -> bytes:
    """The value of a `traceparent` that is the last header line and well-formed, as ours are; else b""."""
    if head[_TRACE_LINE] != _TRACE_NAME:
        return b""
    value = head[_TRACE_VALUE]
    good = value[:3] == b"00-" and value[35:36] == b"-" and value[52:54] == b"-0"
    return value if good and value.translate(None, b"0123456789abcdef") == b"---" else b""


def _read_unusual(head: bytes, method: bytes, target: bytes, fields: RequestFields, trace: bytes) -> Request:
    """A request whose line, or whose host, is not to be sent on as it is."""
    if method == b"CONNECT":
        raise RemoteProtocolError("CONNECT is not supported", 405)
    request = Request(head, method, target, b"", fields, trace)
    if target[:1] != b"/" and target != b"*":
        request.host = host_name(split_target(target)[0])
    elif fields.host is None and fields.version == "1.1":
        raise RemoteProtocolError("missing required Host header")
    return request


def check_beginning(part: bytes) -> None:
    """Raises `RemoteProtocolError` if no request head can begin with `part`; only whole lines are read closely."""
    line = _REQUEST_LINE.match(part)
    if line is not None:
        _find_fields(part, line.end(), part.rfind(b"\r\n") + 2)
    elif not _REQUEST_LINE_BEGINS.fullmatch(part) and not HTTP2_HEAD.startswith(part):
        raise _bad_request_line(part)


class Response:
    """A response's head. `headers` and `named` as in `RequestFields`.

    `whole_bytes` is the size of the message, if it has a known length and the connection lasts; else 0. It is not for
    answers to HEAD. `sent` is then the head that goes on to a caller whose connection lasts as well. `block` is what it
    is over HTTP/2, once that was asked for.
    """

    __slots__ = ("block", "head", "headers", "keep_alive", "named", "sent", "status", "whole_bytes")

    def __init__(self, head: bytes) -> None:
        """Read a whole head. Raises `RemoteProtocolError`, with status 502."""
        line = _STATUS_LINE.match(head)
        if line is None:
            raise RemoteProtocolError(f"malformed HTTP response: {head[:32]!r}", 502)
        self.head = head
        self.block: bytes | None = None
        self.status = int(line[2])
        modern = line[1] == b"1"
        try:
            self.headers, self.named = headers, named = _read_fields(head, line.end())
            length = response_length(named)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"malformed HTTP response: {error}", 502) from error
        if b"connection" in named:
            options = tokens(headers, b"connection")
            self.keep_alive = b"close" not in options if modern else b"keep-alive" in options
        else:
            self.keep_alive = modern
        self.whole_bytes = 0
        self.sent = head
        if length is not None and self.keep_alive and self.status >= 200 and self.status not in (204, 304):
            self.whole_bytes = len(head) + length
            self.sent = response_head(self, b"", False)


def _find_fields(data: bytes, start: int, end: int) -> Fields:
    found: Fields = _FIELD_OR_REST.findall(data, start, end)
    if found and not found[-1][0]:
        raise RemoteProtocolError("malformed header line")
    return found


def _read_fields(head: bytes, start: int) -> tuple[Fields, Named]:
    """The header lines of a whole head: all of them, and the last value of each by lower-case name."""
    headers = _find_fields(head, start, len(head) - 2)
    named = {name.lower(): value.rstrip(b" \t") for name, value in headers}
    if len(named) != len(headers):
        _refuse_twice(headers)
    return headers, named


# Two of these could be read in two ways.
_SINGLE: Final = (b"content-length", b"transfer-encoding", b"host")


def _refuse_twice(headers: Fields) -> None:
    """Raises `RemoteProtocolError` if a header that may occur once occurs twice."""
    names = [name.lower() for name, _ in headers]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise RemoteProtocolError(f"more than one {name.decode().title()} header")


def _bad_request_line(head: bytes) -> RemoteProtocolError:
    version = head.partition(b"\r\n")[0].rpartition(b" ")[2]
    status = 505 if _OTHER_VERSION.match(version) else 400
    return RemoteProtocolError("malformed request line, or not HTTP/1.x", status)
