"""Odd requests, what Swell answers each, and why that differs from nginx where it does. Data for test_nginx.py."""

from __future__ import annotations

from typing import Final, NamedTuple

# Why an outcome differs from nginx's.
ABSOLUTE = "the authority of a target in absolute form is the host (RFC 9112 3.2.2); nginx keeps the Host header"
ASTERISK = "nginx refuses the target *; OPTIONS has it (RFC 9112 3.2.4), and others are the app's to judge"
BAD_LINE = "nginx leaves out, or makes up, header lines that are none; what could be read in two ways is refused"
BARE_CR = "nginx takes a CR before CRLF for a part of it; an app may not"
BARE_LF = "nginx ends lines at a bare LF too; an app that does not would read another message"
CHUNK_SYNTAX = "nginx takes chunks for good that are not (RFC 9112 7.1); an app may read them in another way"
CONTROL = "nginx passes on control characters, which no value may have (RFC 9110 5.5)"
EMPTY_HOST = "nginx refuses an empty host; RFC 9112 3.2 allows it"
EXPECT = "nginx answers 100 itself and the app does not see what was expected; ours is the app's to answer"
HOPS = "nginx passes on hop-by-hop headers, or drops Te: trailers; RFC 9110 7.6.1 and 10.1.4 have it as we do"
HOST = "which hosts are malformed: ours are those of the reference (spec dataplane 1.5) and RFC 3986 3.2.2"
HTTP_09 = "nginx speaks HTTP/0.9"
JUDGED = "nginx judges the path, as it may serve files; it goes on to the app as it came"
LENIENT_LINE = "nginx takes a request line with spaces too many (RFC 9112 3)"
LIMITS = "our limits are others"
METHODS = "nginx refuses methods of other letters; any token is a method (RFC 9110 9.1)"
NAMES = "nginx leaves out headers with an underscore or a dot; they are valid (RFC 9110 5.1)"
NO_HOST = "nginx sends HTTP/1.1 without a host, which RFC 9112 3.2 forbids; ours is the app's address"
RAW_TARGET = "nginx passes on bytes that no target may have (RFC 3986 2)"
SCHEME = "nginx takes any scheme for http"
SPACES = "nginx does not take off all space around a value (RFC 9110 5.5)"
STATUS = "both refuse it, with different statuses"
TRACE = "nginx refuses TRACE; it is the app's to answer"
TRAILERS = "nginx drops trailers, good or bad; good ones go on"
UPGRADE = "nginx drops upgrades unless it is told to pass them on, and keeps HTTP2-Settings; we the other way round"
VERSIONS = "nginx takes any 1.x; only 1.0 and 1.1 are defined"


class Case(NamedTuple):
    """`status`: the first of our answers, 0 if there is none. `why`: one of the above, if nginx's outcome is another.

    `unfinished`: it has no end, so nothing follows it, and the caller leaves once the app has it.
    """

    name: str
    data: bytes
    status: int = 200
    why: str = ""
    unfinished: bool = False


# What follows each case: if it is served, the message before it was read to its end and no further.
LAST: Final = b"GET /last HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"
CHUNKS: Final = b"5\r\nhello\r\n0\r\n\r\n"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


def line(request_line: bytes) -> bytes:
    return head(request_line, b"Host: a")


def bare(*lines: bytes) -> bytes:
    return head(b"GET / HTTP/1.1", *lines)


def get(*lines: bytes) -> bytes:
    return bare(b"Host: a", *lines)


def old(*lines: bytes) -> bytes:
    return head(b"GET / HTTP/1.0", b"Host: a", *lines)


def post(*lines: bytes) -> bytes:
    return head(b"POST / HTTP/1.1", b"Host: a", *lines)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked") + body


CASES: Final = (
    # Request lines.
    Case("plain", line(b"GET / HTTP/1.1")),
    Case("two spaces before the target", line(b"GET  / HTTP/1.1"), 400, LENIENT_LINE),
    Case("two spaces behind the target", line(b"GET /  HTTP/1.1"), 400, LENIENT_LINE),
    Case("a tab before the target", line(b"GET\t/ HTTP/1.1"), 400),
    Case("a tab behind the target", line(b"GET /\tHTTP/1.1"), 400),
    Case("a space at the end of the line", line(b"GET / HTTP/1.1 "), 400, LENIENT_LINE),
    Case("a space before the method", line(b" GET / HTTP/1.1"), 400),
    Case("three words before the version", line(b"GET / / HTTP/1.1"), 400),
    Case("no target", line(b"GET HTTP/1.1"), 400),
    Case("an empty target", line(b"GET  HTTP/1.1"), 400),
    Case("no method", line(b"/ HTTP/1.1"), 400),
    Case("a colon in the method", line(b"GE:T / HTTP/1.1"), 400),
    Case("a response", line(b"HTTP/1.1 200 OK"), 400),
    Case("an empty line before", b"\r\n" + line(b"GET / HTTP/1.1")),
    Case("five empty lines before", b"\r\n" * 5 + line(b"GET / HTTP/1.1")),
    Case("an empty line that is a bare LF before", b"\n" + line(b"GET / HTTP/1.1")),
    Case("a bare CR before", b"\r" + line(b"GET / HTTP/1.1")),
    Case("a bare LF behind the line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, BARE_LF),
    Case("a bare CR behind the line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    Case("two CRs behind the line", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400),
    Case("only bare LFs", b"GET / HTTP/1.1\nHost: a\n\n", 400, BARE_LF),
    Case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    Case("the PROXY protocol", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + line(b"GET / HTTP/1.1"), 400),
    Case("NUL before", b"\0" + line(b"GET / HTTP/1.1"), 400),
    # Methods.
    Case("method POST", line(b"POST / HTTP/1.1")),
    Case("method PUT", line(b"PUT / HTTP/1.1")),
    Case("method PATCH", line(b"PATCH / HTTP/1.1")),
    Case("method DELETE", line(b"DELETE / HTTP/1.1")),
    Case("method OPTIONS", line(b"OPTIONS / HTTP/1.1")),
    Case("method HEAD", line(b"HEAD / HTTP/1.1")),
    Case("method PROPFIND", line(b"PROPFIND / HTTP/1.1")),
    Case("method M-SEARCH", line(b"M-SEARCH / HTTP/1.1")),
    Case("method PURGE", line(b"PURGE / HTTP/1.1")),
    Case("method get", line(b"get / HTTP/1.1"), 200, METHODS),
    Case("method Get", line(b"Get / HTTP/1.1"), 200, METHODS),
    Case("method X", line(b"X / HTTP/1.1")),
    Case("method A_B", line(b"A_B / HTTP/1.1")),
    Case("method *", line(b"* / HTTP/1.1"), 200, METHODS),
    Case("method !#$%", line(b"!#$% / HTTP/1.1"), 200, METHODS),
    Case("method GET1", line(b"GET1 / HTTP/1.1"), 200, METHODS),
    Case("a method of 33 letters", line(b"GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG / HTTP/1.1")),
    Case("TRACE", line(b"TRACE / HTTP/1.1"), 200, TRACE),
    Case("CONNECT with a path", line(b"CONNECT / HTTP/1.1"), 405),
    Case("CONNECT with an authority", line(b"CONNECT a:443 HTTP/1.1"), 405),
    Case("a method in UTF-8", line(b"G\xc3\x89T / HTTP/1.1"), 400),
    # Targets.
    Case("target: a query", line(b"GET /a?b=c HTTP/1.1")),
    Case("target: two question marks", line(b"GET /a?b?c HTTP/1.1")),
    Case("target: an empty query", line(b"GET /? HTTP/1.1")),
    Case("target: only a query", line(b"GET ?a HTTP/1.1"), 400),
    Case("target: without a slash", line(b"GET a HTTP/1.1"), 400),
    Case("target: a fragment", line(b"GET /a#b HTTP/1.1")),
    Case("target: a fragment in the query", line(b"GET /a?b#c HTTP/1.1")),
    Case("target: an escaped space", line(b"GET /a%20b HTTP/1.1")),
    Case("target: an escaped slash", line(b"GET /a%2fb HTTP/1.1")),
    Case("target: an escaped NUL", line(b"GET /a%00b HTTP/1.1"), 200, JUDGED),
    Case("target: an escaped CRLF", line(b"GET /a%0d%0ab HTTP/1.1")),
    Case("target: a bad escape", line(b"GET /a%zz HTTP/1.1"), 200, JUDGED),
    Case("target: half an escape", line(b"GET /a% HTTP/1.1"), 200, JUDGED),
    Case("target: an escaped escape", line(b"GET /a%252f HTTP/1.1")),
    Case("target: an escaped dot", line(b"GET /%2e%2e/a HTTP/1.1"), 200, JUDGED),
    Case("target: dots", line(b"GET /a/../b/./c HTTP/1.1")),
    Case("target: dots above the root", line(b"GET /../a HTTP/1.1"), 200, JUDGED),
    Case("target: two slashes", line(b"GET //a HTTP/1.1")),
    Case("target: a host behind two slashes", line(b"GET //b.example/a HTTP/1.1")),
    Case("target: three slashes in a row", line(b"GET /a///b HTTP/1.1")),
    Case("target: a backslash", line(b"GET /a\\b HTTP/1.1")),
    Case("target: quotes and braces", line(b'GET /a"<>{}|^` HTTP/1.1')),
    Case("target: a semicolon", line(b"GET /a;b=c HTTP/1.1")),
    Case("target: a tilde and an at", line(b"GET /~a@b HTTP/1.1")),
    Case("target: a colon", line(b"GET /a:b HTTP/1.1")),
    Case("target: high bytes", line(b"GET /caf\xc3\xa9 HTTP/1.1"), 400, RAW_TARGET),
    Case("target: a high byte that is no UTF-8", line(b"GET /\xff HTTP/1.1"), 400, RAW_TARGET),
    Case("target: NUL", line(b"GET /a\x00b HTTP/1.1"), 400),
    Case("target: DEL", line(b"GET /a\x7fb HTTP/1.1"), 400),
    Case("target: a control character", line(b"GET /a\x01b HTTP/1.1"), 400),
    Case("target: a bare CR", line(b"GET /a\rb HTTP/1.1"), 400),
    Case("target: a vertical tab", line(b"GET /a\x0bb HTTP/1.1"), 400),
    Case("target: absolute form", line(b"GET http://a/b HTTP/1.1")),
    Case("target: absolute form with another host", line(b"GET http://b.example/c HTTP/1.1"), 200, ABSOLUTE),
    Case("target: absolute form with a port", line(b"GET http://b.example:81/c HTTP/1.1"), 200, ABSOLUTE),
    Case("target: absolute form without a path", line(b"GET http://b.example HTTP/1.1"), 200, ABSOLUTE),
    Case("target: absolute form with only a query", line(b"GET http://b.example?c HTTP/1.1"), 200, ABSOLUTE),
    Case("target: absolute form in capitals", line(b"GET HTTP://B.EXAMPLE/c HTTP/1.1"), 200, ABSOLUTE),
    Case("target: absolute form in https", line(b"GET https://b.example/c HTTP/1.1"), 200, ABSOLUTE),
    Case("target: absolute form in ftp", line(b"GET ftp://b.example/c HTTP/1.1"), 400, SCHEME),
    Case("target: absolute form with a user", line(b"GET http://u@b.example/c HTTP/1.1"), 400),
    Case("target: absolute form without a host", line(b"GET http:///c HTTP/1.1"), 400),
    Case("target: absolute form of an IPv6 address", line(b"GET http://[::1]:80/c HTTP/1.1"), 200, ABSOLUTE),
    Case("target: authority form", line(b"GET a:80 HTTP/1.1"), 400),
    Case("target: an asterisk", line(b"GET * HTTP/1.1"), 200, ASTERISK),
    Case("target: an asterisk with more", line(b"GET *a HTTP/1.1"), 400),
    Case("target: a slash and an asterisk", line(b"GET /* HTTP/1.1")),
    Case("OPTIONS of all", line(b"OPTIONS * HTTP/1.1"), 200, ASTERISK),
    Case("target: 8,000 bytes", line(b"GET /" + b"a" * 8000 + b" HTTP/1.1")),
    Case("target: 60,000 bytes", line(b"GET /" + b"a" * 60_000 + b" HTTP/1.1")),
    Case("target: 70,000 bytes", line(b"GET /" + b"a" * 70_000 + b" HTTP/1.1"), 200, LIMITS),
    # Versions.
    Case("version HTTP/1.2", line(b"GET / HTTP/1.2"), 400, VERSIONS),
    Case("version HTTP/1.9", line(b"GET / HTTP/1.9"), 400, VERSIONS),
    Case("version HTTP/1.10", line(b"GET / HTTP/1.10"), 400, VERSIONS),
    Case("version HTTP/1.01", line(b"GET / HTTP/1.01"), 400, VERSIONS),
    Case("version HTTP/01.1", line(b"GET / HTTP/01.1"), 505, STATUS),
    Case("version HTTP/1", line(b"GET / HTTP/1"), 400),
    Case("version HTTP/1.", line(b"GET / HTTP/1."), 400),
    Case("version HTTP/.1", line(b"GET / HTTP/.1"), 400),
    Case("version HTTP/2.0", line(b"GET / HTTP/2.0"), 505),
    Case("version HTTP/2", line(b"GET / HTTP/2"), 505),
    Case("version HTTP/0.9", line(b"GET / HTTP/0.9"), 505, STATUS),
    Case("version HTTP/3.0", line(b"GET / HTTP/3.0"), 505),
    Case("version http/1.1", line(b"GET / http/1.1"), 400),
    Case("version HTTP /1.1", line(b"GET / HTTP /1.1"), 400),
    Case("version HTTP/1,1", line(b"GET / HTTP/1,1"), 400),
    Case("version HTTP/-1.1", line(b"GET / HTTP/-1.1"), 400),
    Case("version HTTPS/1.1", line(b"GET / HTTPS/1.1"), 400),
    Case("version ICAP/1.0", line(b"GET / ICAP/1.0"), 400),
    Case("version HTTP/1.1x", line(b"GET / HTTP/1.1x"), 400),
    Case("HTTP/0.9", b"GET /\r\n", 400, HTTP_09),
    Case("HTTP/0.9 with header lines", b"GET /\r\nHost: a\r\n\r\n", 400, HTTP_09),
    # HTTP/1.0.
    Case("HTTP/1.0", old()),
    Case("HTTP/1.0 without a host", b"GET / HTTP/1.0\r\n\r\n", 200, NO_HOST),
    Case("HTTP/1.0 that keeps alive", old(b"Connection: keep-alive")),
    Case("HTTP/1.0 that closes", old(b"Connection: close")),
    Case("HTTP/1.0 with a length", old(b"Content-Length: 5", b"Connection: keep-alive") + b"hello"),
    Case("HTTP/1.0 in chunks", old(b"Transfer-Encoding: chunked") + CHUNKS, 400),
    Case(
        "HTTP/1.0 that expects",
        old(b"Content-Length: 5", b"Expect: 100-continue", b"Connection: keep-alive") + b"hello",
        200,
        EXPECT,
    ),
    # Header lines.
    Case("header: an empty value", get(b"X:")),
    Case("header: only spaces for a value", get(b"X:   ")),
    Case("header: spaces around a value", get(b"X: \t a b \t ")),
    Case("header: no space behind the colon", get(b"X:a")),
    Case("header: a value with colons", get(b"X: a:b: c")),
    Case("header: a folded line", get(b"X: a\r\n b"), 400),
    Case("header: a line folded with a tab", get(b"X: a\r\n\tb"), 400),
    Case("header: a line folded to nothing", get(b"X: a\r\n "), 400),
    Case("header: a space before the colon", get(b"X : a"), 400),
    Case("header: a tab before the colon", get(b"X\t: a"), 400),
    Case("header: a space in the name", get(b"X Y: a"), 400),
    Case("header: a space before the name", get(b" X: a"), 400),
    Case("header: no colon", get(b"X"), 400, BAD_LINE),
    Case("header: no name", get(b": a"), 400),
    Case("header: only a colon", get(b":"), 400),
    Case("header: an underscore in the name", get(b"X_Y: a"), 200, NAMES),
    Case("header: a dot in the name", get(b"X.Y: a"), 200, NAMES),
    Case("header: all that a name may have", get(b"!#$%&'*+-.^`|~09: a"), 200, NAMES),
    Case("header: a parenthesis in the name", get(b"X(Y): a"), 400, BAD_LINE),
    Case("header: a slash in the name", get(b"X/Y: a"), 400, BAD_LINE),
    Case("header: an at in the name", get(b"X@Y: a"), 400, BAD_LINE),
    Case("header: quotes in the name", get(b'"X": a'), 400, BAD_LINE),
    Case("header: a high byte in the name", get(b"X\xe9: a"), 400, BAD_LINE),
    Case("header: NUL in the name", get(b"X\x00Y: a"), 400),
    Case("header: DEL in the name", get(b"X\x7f: a"), 400),
    Case("header: NUL in the value", get(b"X: a\x00b"), 400),
    Case("header: NUL at the end of the value", get(b"X: a\x00"), 400),
    Case("header: a bare CR in the value", get(b"X: a\rb"), 400),
    Case("header: a bare CR at the end of the value", get(b"X: a\r"), 400, BARE_CR),
    Case("header: a bare LF in the value", get(b"X: a\nY: b"), 400, BARE_LF),
    Case("header: LF and CR", get(b"X: a\n\rY: b"), 400),
    Case("header: a control character in the value", get(b"X: a\x01b"), 400, CONTROL),
    Case("header: DEL in the value", get(b"X: a\x7fb"), 400, CONTROL),
    Case("header: a form feed in the value", get(b"X: a\x0cb"), 400, CONTROL),
    Case("header: UTF-8 in the value", get(b"X: caf\xc3\xa9")),
    Case("header: a high byte in the value", get(b"X: caf\xe9")),
    Case("header: a byte of 0xff in the value", get(b"X: \xff")),
    Case("header: the same name twice", get(b"X: a\r\nX: b")),
    Case("header: the same name in other letters", get(b"X: a\r\nx: b")),
    Case("header: an empty line that has a space", get(b"X: a\r\n \r\nY: b"), 400),
    Case("header: a name that begins with a dash", get(b"-X: a")),
    Case("header: a name of 200 letters", get(b"X" * 200 + b": a")),
    Case("header: a value of 7,000 bytes", get(b"X: " + b"a" * 7000)),
    Case("header: a value of 60,000 bytes", get(b"X: " + b"a" * 60_000)),
    Case("header: 200 lines", get(*[b"X-%d: a" % number for number in range(200)])),
    Case("header: 300 lines", get(*[b"X-%d: a" % number for number in range(300)])),
    Case("header: a bare LF behind a line", b"GET / HTTP/1.1\r\nHost: a\nX: a\r\n\r\n", 400, BARE_LF),
    Case("header: a bare LF behind the last line", b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, BARE_LF),
    Case("header: the head ends in a bare LF", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, BARE_LF),
    # Hosts.
    Case("no host", bare(), 400),
    Case("an empty host", bare(b"Host:"), 200, EMPTY_HOST),
    Case("the same host twice", bare(b"Host: a", b"Host: a"), 400),
    Case("two hosts", bare(b"Host: a", b"Host: b"), 400),
    Case("two hosts in other letters", bare(b"Host: a", b"HOST: b"), 400),
    Case("a host in capitals", bare(b"Host: A.Example")),
    Case("a host with a port", bare(b"Host: a:8080")),
    Case("a host with a port that is no number", bare(b"Host: a:x")),
    Case("an IPv6 host", bare(b"Host: [::1]:80")),
    Case("a host with a dot at the end", bare(b"Host: a.")),
    Case("a host with a path", bare(b"Host: a/b"), 400),
    Case("a host with a user", bare(b"Host: u@a"), 400, HOST),
    Case("a host with a space", bare(b"Host: a b"), 400),
    Case("a list of hosts", bare(b"Host: a, b"), 400),
    Case("a host with two dots", bare(b"Host: a..b"), 200, HOST),
    Case("a host with a high byte", bare(b"Host: caf\xe9"), 400, HOST),
    Case("a host with an underscore", bare(b"Host: a_b")),
    Case("a host with NUL", bare(b"Host: a\x00b"), 400),
    # Lengths.
    Case("length: as long as the body", post(b"Content-Length: 5") + b"hello"),
    Case("length: 0", post(b"Content-Length: 0")),
    Case("length: none at all", post()),
    Case("length: with leading zeros", post(b"Content-Length: 0005") + b"hello"),
    Case("length: spaces around it", post(b"Content-Length: \t 5 \t") + b"hello", 200, SPACES),
    Case("length: +5", post(b"Content-Length: +5") + b"hello", 400),
    Case("length: -5", post(b"Content-Length: -5") + b"hello", 400),
    Case("length: 0x5", post(b"Content-Length: 0x5") + b"hello", 400),
    Case("length: 5.0", post(b"Content-Length: 5.0") + b"hello", 400),
    Case("length: 5e0", post(b"Content-Length: 5e0") + b"hello", 400),
    Case("length: 5 5", post(b"Content-Length: 5 5") + b"hello", 400),
    Case("length: 5,5", post(b"Content-Length: 5,5") + b"hello", 400),
    Case("length: 5, 5", post(b"Content-Length: 5, 5") + b"hello", 400),
    Case("length: 5;5", post(b"Content-Length: 5;5") + b"hello", 400),
    Case("length: ", post(b"Content-Length: ") + b"hello", 400),
    Case("length: five", post(b"Content-Length: five") + b"hello", 400),
    Case("length: \\x0b5", post(b"Content-Length: \x0b5") + b"hello", 400),
    Case("length: 5\\x0c", post(b"Content-Length: 5\x0c") + b"hello", 400),
    Case("length: 5\\x00", post(b"Content-Length: 5\x00") + b"hello", 400),
    Case("length: \\xef\\xbc\\x95", post(b"Content-Length: \xef\xbc\x95") + b"hello", 400),
    Case("length: 99999999999999999999", post(b"Content-Length: 99999999999999999999") + b"hello", 400),
    Case("length: 18446744073709551621", post(b"Content-Length: 18446744073709551621") + b"hello", 400),
    Case("length: 5_0", post(b"Content-Length: 5_0") + b"hello", 400),
    Case("length: twice the same", post(b"Content-Length: 5", b"Content-Length: 5") + b"hello", 400),
    Case("length: two", post(b"Content-Length: 5", b"Content-Length: 6") + b"hello", 400),
    Case("length: two in other letters", post(b"Content-Length: 5", b"content-length: 3") + b"hello", 400),
    Case("length: a space before the colon", post(b"Content-Length : 5") + b"hello", 400),
    Case("length: folded", post(b"Content-Length:\r\n 5") + b"hello", 400),
    Case("length: an underscore for the dash", post(b"Content_Length: 5", b"Content-Length: 5") + b"hello", 200, NAMES),
    Case("length: GET with a body", get(b"Content-Length: 5") + b"hello"),
    Case("length: HEAD with a body", head(b"HEAD / HTTP/1.1", b"Host: a", b"Content-Length: 5") + b"hello"),
    Case("length: a body that is a request", post(b"Content-Length: %d" % len(LAST)) + LAST),
    Case("length: a terabyte", post(b"Content-Length: 1000000000000") + b"hello", 0, unfinished=True),
    Case("length: longer than the body", post(b"Content-Length: 6") + b"hello", 0, unfinished=True),
    # Codings.
    Case("coding: chunked", post(b"Transfer-Encoding: chunked") + CHUNKS),
    Case("coding: Chunked", post(b"Transfer-Encoding: Chunked") + CHUNKS),
    Case("coding: CHUNKED", post(b"Transfer-Encoding: CHUNKED") + CHUNKS),
    Case("coding:  \\tchunked \\t", post(b"Transfer-Encoding:  \tchunked \t") + CHUNKS, 200, SPACES),
    Case("coding: identity", post(b"Transfer-Encoding: identity") + CHUNKS, 501),
    Case("coding: gzip", post(b"Transfer-Encoding: gzip") + CHUNKS, 501),
    Case("coding: gzip, chunked", post(b"Transfer-Encoding: gzip, chunked") + CHUNKS, 501),
    Case("coding: chunked, gzip", post(b"Transfer-Encoding: chunked, gzip") + CHUNKS, 501),
    Case("coding: chunked, chunked", post(b"Transfer-Encoding: chunked, chunked") + CHUNKS, 501),
    Case("coding: chunked,", post(b"Transfer-Encoding: chunked,") + CHUNKS, 501),
    Case("coding: ,chunked", post(b"Transfer-Encoding: ,chunked") + CHUNKS, 501),
    Case("coding: xchunked", post(b"Transfer-Encoding: xchunked") + CHUNKS, 501),
    Case("coding: chunkedx", post(b"Transfer-Encoding: chunkedx") + CHUNKS, 501),
    Case("coding: chunked;q=1", post(b"Transfer-Encoding: chunked;q=1") + CHUNKS, 501),
    Case('coding: "chunked"', post(b'Transfer-Encoding: "chunked"') + CHUNKS, 501),
    Case("coding: ", post(b"Transfer-Encoding: ") + CHUNKS, 501),
    Case("coding: \\x0bchunked", post(b"Transfer-Encoding: \x0bchunked") + CHUNKS, 400, STATUS),
    Case("coding: chunked\\x00", post(b"Transfer-Encoding: chunked\x00") + CHUNKS, 400),
    Case("coding: chun ked", post(b"Transfer-Encoding: chun ked") + CHUNKS, 501),
    Case("coding: trailers", post(b"Transfer-Encoding: trailers") + CHUNKS, 501),
    Case("coding: twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + CHUNKS, 400),
    Case("coding: two", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + CHUNKS, 400),
    Case("coding: folded", post(b"Transfer-Encoding:\r\n chunked") + CHUNKS, 400),
    Case("coding: a space before the colon", post(b"Transfer-Encoding : chunked") + CHUNKS, 400),
    Case(
        "coding: an underscore for the dash",
        post(b"Transfer_Encoding: chunked", b"Content-Length: 20") + CHUNKS,
        200,
        NAMES,
    ),
    Case("coding: and a length", post(b"Transfer-Encoding: chunked", b"Content-Length: 5") + CHUNKS, 400),
    Case("coding: a length and it", post(b"Content-Length: 5", b"Transfer-Encoding: chunked") + CHUNKS, 400),
    Case(
        "coding: identity and a length",
        post(b"Transfer-Encoding: identity", b"Content-Length: 20") + CHUNKS,
        400,
        STATUS,
    ),
    Case("coding: GET in chunks", get(b"Transfer-Encoding: chunked") + CHUNKS),
    # Chunks.
    Case("chunks: nothing", chunked(b"0\r\n\r\n")),
    Case("chunks: many zeros", chunked(b"5\r\nhello\r\n0000\r\n\r\n")),
    Case("chunks: sizes with leading zeros", chunked(b"0005\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: sizes in both letters", chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")),
    Case("chunks: one byte each", chunked(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")),
    Case("chunks: an extension", chunked(b"5;a=b\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: an extension without a value", chunked(b"5;a\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: a quoted extension", chunked(b'5;a="b;c"\r\nhello\r\n0\r\n\r\n')),
    Case("chunks: an empty extension", chunked(b"5;\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: an extension of the last", chunked(b"5\r\nhello\r\n0;a=b\r\n\r\n")),
    Case("chunks: a space behind the size", chunked(b"5 \r\nhello\r\n0\r\n\r\n")),
    Case("chunks: a space before an extension", chunked(b"5 ;a\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: a tab behind the size", chunked(b"5\t\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: a space before the size", chunked(b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: size +5", chunked(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: size -5", chunked(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: size 0x5", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: size 5_", chunked(b"5_\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: size g", chunked(b"g\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: an empty size", chunked(b"\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: only an extension", chunked(b";a\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: two sizes", chunked(b"5 5\r\nhello\r\n0\r\n\r\n"), 400, CHUNK_SYNTAX),
    Case("chunks: a size of 17 digits", chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: a size of 15 zeros", chunked(b"000000000000005\r\nhello\r\n0\r\n\r\n")),
    Case("chunks: a size of 20 zeros", chunked(b"00000000000000000005\r\nhello\r\n0\r\n\r\n"), 400, LIMITS),
    Case("chunks: a size that ends in LF", chunked(b"5\nhello\r\n0\r\n\r\n"), 400, BARE_LF),
    Case("chunks: a size that ends in CR", chunked(b"5\rhello\r\n0\r\n\r\n"), 400),
    Case("chunks: a size that ends in two CRs", chunked(b"5\r\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: data that ends in LF", chunked(b"5\r\nhello\n0\r\n\r\n"), 400, BARE_LF),
    Case("chunks: data without an end", chunked(b"5\r\nhello0\r\n\r\n"), 400),
    Case("chunks: data that is too long", chunked(b"5\r\nhello!\r\n0\r\n\r\n"), 400),
    Case("chunks: data that ends in CR", chunked(b"5\r\nhello\r0\r\n\r\n"), 400),
    Case("chunks: an end in LF", chunked(b"5\r\nhello\r\n0\n\n"), 400, BARE_LF),
    Case("chunks: an end in CRLF and LF", chunked(b"5\r\nhello\r\n0\r\n\n"), 400, BARE_LF),
    Case("chunks: CR in an extension", chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: LF in an extension", chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 400),
    Case("chunks: NUL in an extension", chunked(b"5;a\x00b\r\nhello\r\n0\r\n\r\n"), 400, CHUNK_SYNTAX),
    Case("chunks: a trailer", chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), 200, TRAILERS),
    Case("chunks: two trailers", chunked(b"5\r\nhello\r\n0\r\nX: 1\r\nY: 2\r\n\r\n"), 200, TRAILERS),
    Case("chunks: a trailer that is a length", chunked(b"5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n"), 200, TRAILERS),
    Case("chunks: a trailer without a colon", chunked(b"5\r\nhello\r\n0\r\nX\r\n\r\n"), 400, TRAILERS),
    Case("chunks: a folded trailer", chunked(b"5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n"), 400, TRAILERS),
    Case("chunks: a trailer that ends in LF", chunked(b"5\r\nhello\r\n0\r\nX: 1\n\r\n"), 400, BARE_LF),
    Case(
        "chunks: a trailer with a space before the colon", chunked(b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n"), 400, TRAILERS
    ),
    Case(
        "chunks: a chunk that looks like a request",
        chunked(b"24\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx\r\n0\r\n\r\n"),
    ),
    Case("chunks: an extension of 3,000 bytes", chunked(b"5;a=" + b"a" * 3000 + b"\r\nhello\r\n0\r\n\r\n")),
    Case(
        "chunks: an extension of 5,000 bytes", chunked(b"5;a=" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"), 400, LIMITS
    ),
    Case("chunks: no end", chunked(b"5\r\nhello\r\n"), 0, unfinished=True),
    # Connections.
    Case("connection: keep-alive", get(b"Connection: keep-alive")),
    Case("connection: close", get(b"Connection: close")),
    Case("connection: Close in capitals", get(b"Connection: CLOSE")),
    Case("connection: close and keep-alive", get(b"Connection: close, keep-alive")),
    Case("connection: keep-alive and then close", get(b"Connection: keep-alive", b"Connection: close")),
    Case("connection: names a header", get(b"Connection: X", b"X: a"), 200, HOPS),
    Case("connection: names the host", get(b"Connection: Host")),
    Case("connection: names the coding of nothing", get(b"Connection: Transfer-Encoding")),
    Case("connection: empty", get(b"Connection:")),
    Case("connection: commas", get(b"Connection: ,,")),
    Case("connection: Proxy-Connection", get(b"Proxy-Connection: close"), 200, HOPS),
    Case("connection: Keep-Alive", get(b"Keep-Alive: timeout=5")),
    Case("connection: TE: trailers", get(b"TE: trailers", b"Connection: TE"), 200, HOPS),
    Case("connection: TE: gzip", get(b"TE: gzip, trailers;q=0.5")),
    Case("connection: TE twice", get(b"TE: gzip", b"TE: trailers"), 200, HOPS),
    Case("connection: Proxy-Authorization", get(b"Proxy-Authorization: Basic YTpi"), 200, HOPS),
    Case("connection: Trailer", get(b"Trailer: X"), 200, HOPS),
    Case("connection: names the length", post(b"Connection: Content-Length", b"Content-Length: 5") + b"hello"),
    # Upgrades, that the app does not take up.
    Case("upgrade: websocket", get(b"Connection: Upgrade", b"Upgrade: websocket"), 200, UPGRADE),
    Case("upgrade: websocket without Connection", get(b"Upgrade: websocket")),
    Case("upgrade: of no name", get(b"Connection: Upgrade")),
    Case(
        "upgrade: h2c",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        200,
        UPGRADE,
    ),
    Case("upgrade: keep-alive beside it", get(b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"), 200, UPGRADE),
    Case("upgrade: two", get(b"Connection: Upgrade", b"Upgrade: a, b"), 200, UPGRADE),
    Case("upgrade: HTTP/1.0", old(b"Connection: Upgrade", b"Upgrade: websocket"), 200, UPGRADE),
    # Expectations.
    Case("expect: 100-continue", post(b"Expect: 100-continue", b"Content-Length: 5") + b"hello", 100, EXPECT),
    Case("expect: 100-Continue", post(b"Expect: 100-Continue", b"Content-Length: 5") + b"hello", 100, EXPECT),
    Case("expect: 100-continue without a body", post(b"Expect: 100-continue"), 100, EXPECT),
    Case("expect: 100-continue of nothing", post(b"Expect: 100-continue", b"Content-Length: 0"), 100, EXPECT),
    Case("expect: something else", post(b"Expect: a", b"Content-Length: 5") + b"hello", 100, EXPECT),
    Case(
        "expect: 100-continue in chunks",
        post(b"Expect: 100-continue", b"Transfer-Encoding: chunked") + CHUNKS,
        100,
        EXPECT,
    ),
    # Forwarding headers.
    Case("passed on: X-Forwarded-Proto", get(b"X-Forwarded-Proto: https")),
    Case("passed on: Forwarded", get(b"Forwarded: for=192.0.2.1")),
    Case("passed on: Via", get(b"Via: 1.1 b")),
    Case("passed on: Max-Forwards", get(b"Max-Forwards: 0")),
    Case("passed on: Range", get(b"Range: bytes=0-1")),
    Case("passed on: If-Modified-Since that is no date", get(b"If-Modified-Since: a")),
    Case("passed on: two cookies", get(b"Cookie: a=b", b"Cookie: c=d")),
    # Pipelines.
    Case("pipeline: two", get() * 2),
    Case("pipeline: twenty", get() * 20),
    Case("pipeline: HEAD and GET", line(b"HEAD / HTTP/1.1") + get()),
    Case(
        "pipeline: bodies of every kind",
        post(b"Content-Length: 5") + b"hello" + chunked(b"1\r\na\r\n0\r\n\r\n") + get(),
    ),
    Case("pipeline: an empty line behind a body", post(b"Content-Length: 5") + b"hello\r\n" + get()),
    Case("pipeline: a bad one behind a good one", get() + get(b"X : a", b"Content-Length: +1")),
    Case("pipeline: one behind a close", get(b"Connection: close") + get()),
    Case("pipeline: more than the length behind a body", post(b"Content-Length: 5") + b"hello!", 200, METHODS),
    Case("pipeline: HTTP/1.0 between", get() + old(b"Connection: keep-alive") + get()),
    Case("pipeline: HTTP/2 behind HTTP/1.1", get() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 200, STATUS),
)
