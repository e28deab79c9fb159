"""Responses of the proxy itself, as bytes. Pure.

An error is told as the reference does: text and a newline, not to be sniffed (spec dataplane, error bodies).
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

from activator.proxy.errors import RemoteProtocolError

Headers = tuple[tuple[bytes, bytes], ...]

TEXT: Final[Headers] = ((b"Content-Type", b"text/plain; charset=utf-8"),)
PLAIN_ERROR: Final[Headers] = (*TEXT, (b"X-Content-Type-Options", b"nosniff"))
CLOSE: Final = b"Connection: close\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"


class Answer(NamedTuple):
    """An answer of our own, as the arguments of `Exchange.reply`."""

    status: int
    body: bytes = b""
    headers: Headers = ()


@functools.cache
def phrase(status: int) -> bytes:
    """What a status is called; nothing for one without a name."""
    from http import HTTPStatus  # not above: it would take a millisecond of each cold start

    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


@functools.cache
def status_line(status: int) -> bytes:
    """With its line end."""
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase(status))


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
    body = b"%d %b: %b\n" % (error.status, phrase(error.status), str(error).encode())
    return Answer(error.status, body, PLAIN_ERROR)


def refusal(error: RemoteProtocolError) -> bytes:
    """The same as a whole response. Nothing after such a request can be read, so the connection closes."""
    return response(*refused(error), added=CLOSE)


def bad_gateway(error: str) -> Answer:
    """For an app that cannot be reached, or broke off before its head."""
    return Answer(502, error.encode() + b"\n", PLAIN_ERROR)
