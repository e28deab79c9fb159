"""Responses of the proxy itself, as bytes. Pure.

An error is told as the reference does: text and a newline, not to be sniffed (spec dataplane, error bodies).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, NamedTuple

from activator.proxy.errors import RemoteProtocolError

Headers = tuple[tuple[bytes, bytes], ...]

TEXT: Final[Headers] = ((b"Content-Type", b"text/plain; charset=utf-8"),)
PLAIN_ERROR: Final[Headers] = (*TEXT, (b"X-Content-Type-Options", b"nosniff"))
CLOSE: Final = b"Connection: close\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


class Answer(NamedTuple):
    """An answer of our own, as the arguments of `Exchange.reply`."""

    status: int
    body: bytes = b""
    headers: Headers = ()


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def response(status: int, body: bytes, headers: Headers, *, added: bytes = b"", bodyless: bool = False) -> bytes:
    """A whole response. `added` are whole header lines; `bodyless` is for an answer to HEAD."""
    lines = [status_line(status), *(b"%b: %b\r\n" % pair for pair in headers)]
    if status == 204 or status == 304:
        bodyless = True
    else:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    lines += (added, b"\r\n")
    if not bodyless:
        lines.append(body)
    return b"".join(lines)


def refused(error: RemoteProtocolError) -> Answer:
    """The answer to a request that cannot be read."""
    phrase = HTTPStatus(error.status).phrase
    return Answer(error.status, f"{error.status} {phrase}: {error}\n".encode(), PLAIN_ERROR)


def refusal(error: RemoteProtocolError) -> bytes:
    """The same as a whole response. Nothing after such a request can be read, so the connection closes."""
    return response(*refused(error), added=CLOSE)


def bad_gateway(error: str) -> Answer:
    """For an app that cannot be reached, or broke off before its head."""
    return Answer(502, error.encode() + b"\n", PLAIN_ERROR)
