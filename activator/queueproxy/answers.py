"""Answers a queue-proxy gives by itself; the bodies are the reference's (spec dataplane 3.4-3.6). Pure."""

from __future__ import annotations

from typing import Final

from activator.proxy.replies import PLAIN_ERROR, TEXT, Answer

READY: Final = Answer(200, b"queue", TEXT)
NOT_READY: Final = Answer(503)
SHUTTING_DOWN: Final = Answer(503, b"shutting down\n", PLAIN_ERROR)
LINE_FULL: Final = Answer(503, b"pending request queue full\n", PLAIN_ERROR)
TIMEOUT: Final = Answer(504, b"request timeout", TEXT)
DRAINED: Final = Answer(200)
NOT_FOUND: Final = Answer(404, b"404 page not found\n", PLAIN_ERROR)


def unexpected_probe(value: bytes) -> Answer:
    """A prober asked for something that is not ours to answer."""
    return Answer(400, b"unexpected probe header value: " + value + b"\n", PLAIN_ERROR)
