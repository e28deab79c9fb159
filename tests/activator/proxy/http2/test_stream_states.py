"""Every frame in every state of a stream (RFC 9113 section 5.1): taken, passed over, or refused in one of two ways."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest

from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode
from tests.activator.proxy.http2.conftest import request
from tests.activator.proxy.http2.test_differential import Side

DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 5, 7, 8, 9
UNKNOWN: Final = 0xEE
END_STREAM, END_HEADERS = 1, 4
PROTOCOL_ERROR, STREAM_CLOSED = 1, 5
POST = encode(request("/", "POST"))
FINE: Final = ("fine", 0)
State = Callable[[Side], Coroutine[Any, Any, None]]


def stream_fault(code: int) -> tuple[str, int]:
    return ("stream", code)


def connection_fault(code: int) -> tuple[str, int]:
    return ("connection", code)


async def open_stream(side: Side) -> None:
    await side.feed(frames.frame(HEADERS, END_HEADERS, 1, POST))


async def idle(side: Side) -> None:
    """Nothing was said of stream 1."""


async def half_closed(side: Side) -> None:
    """The request is complete, and not answered."""
    await side.feed(frames.frame(HEADERS, END_HEADERS | END_STREAM, 1, POST))


async def answered(side: Side) -> None:
    await half_closed(side)
    side.exchanges[0].reply(204)


async def answered_early(side: Side) -> None:
    """The request is not complete; its caller was told that no more of it is wanted."""
    await open_stream(side)
    side.exchanges[0].reply(204)


async def reset_by_caller(side: Side) -> None:
    await open_stream(side)
    await side.feed(frames.frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))


async def reset_by_us(side: Side) -> None:
    await open_stream(side)
    side.exchanges[0].abort()


STATES: Final = (idle, open_stream, half_closed, answered, answered_early, reset_by_caller, reset_by_us)
EVENTS: Final = {
    "DATA": frames.frame(DATA, 0, 1, b"hello"),
    "DATA and end": frames.frame(DATA, END_STREAM, 1, b"hello"),
    "HEADERS": frames.frame(HEADERS, END_HEADERS, 1, POST),
    "HEADERS and end": frames.frame(HEADERS, END_HEADERS | END_STREAM, 1, POST),
    "trailers": frames.frame(HEADERS, END_HEADERS | END_STREAM, 1, encode([(b"x-sum", b"1")])),
    "PRIORITY": frames.frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
    "RST_STREAM": frames.frame(RST_STREAM, 0, 1, b"\0\0\0\x08"),
    "PUSH_PROMISE": frames.frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + POST),
    "WINDOW_UPDATE": frames.frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
    "CONTINUATION": frames.frame(CONTINUATION, END_HEADERS, 1, POST),
    "unknown": frames.frame(UNKNOWN, 0, 1, b"hello"),
}


def outcome(side: Side, before: int) -> tuple[str, int]:
    """What was said of it."""
    written = side.transport.written[before:]
    found = FINE
    while written:
        size, kind = int.from_bytes(written[:3]), written[3]
        payload, written = written[9 : 9 + size], written[9 + size :]
        if kind == RST_STREAM:
            found = stream_fault(int.from_bytes(payload[:4]))
        elif kind == GOAWAY:
            return connection_fault(int.from_bytes(payload[4:8]))
    return found


NEVER: Final = {"PUSH_PROMISE": connection_fault(PROTOCOL_ERROR), "CONTINUATION": connection_fault(PROTOCOL_ERROR)}
# What is not named is fine.
TABLE: Final = {
    idle: {
        **dict.fromkeys(("DATA", "DATA and end", "RST_STREAM", "WINDOW_UPDATE"), connection_fault(PROTOCOL_ERROR)),
        "trailers": stream_fault(PROTOCOL_ERROR),
        **NEVER,
    },
    open_stream: {**dict.fromkeys(("HEADERS", "HEADERS and end"), stream_fault(PROTOCOL_ERROR)), **NEVER},
    half_closed: {
        **dict.fromkeys(
            ("DATA", "DATA and end", "HEADERS", "HEADERS and end", "trailers"), stream_fault(STREAM_CLOSED)
        ),
        **NEVER,
    },
    # Nothing is kept of streams that are over: what was still under way is passed over.
    answered: NEVER,
    answered_early: NEVER,
    reset_by_caller: NEVER,
    reset_by_us: NEVER,
}


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(STATES, EVENTS)), ids=lambda value: getattr(value, "__name__", value)
)
def test_a_frame_is_taken_or_refused_as_the_state_of_its_stream_has_it(state: State, event: str) -> None:
    async def run() -> None:
        side = Side()
        await side.feed(frames.PREFACE + frames.settings(()))
        await state(side)
        await asyncio.sleep(0)
        requests, before = len(side.exchanges), len(side.transport.written)
        await side.feed(EVENTS[event])
        found = outcome(side, before)
        assert found == TABLE[state].get(event, FINE)
        new = state is idle and event in ("HEADERS", "HEADERS and end")
        assert len(side.exchanges) == requests + new, "nothing else is a request"
        side.lose()

    asyncio.run(run())
