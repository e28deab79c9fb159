"""What another implementation says, cut at random, is heard as it was meant; what nobody would say breaks nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
from hypothesis import given, settings
from hypothesis import strategies as st

from activator.proxy.downstream import Downstream
from activator.proxy.exchange import Exchange
from activator.proxy.http2 import frames
from activator.proxy.http2.compression import encode
from activator.proxy.server import ProxyServer
from tests.activator.proxy.http2.conftest import request


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.written = b""
        self.closing = False
        self.paused = False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 1)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: Any) -> None:
        self.written += b"".join(parts)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Side:
    """A proxy's side of one connection, without sockets. Requests are kept, and answered when asked to."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.done: list[Exchange] = []
        self.transport = Transport()
        downstream = Downstream(ProxyServer(self))
        self.transport.protocol = downstream
        downstream.connection_made(cast(asyncio.BaseTransport, self.transport))

    def on_request(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        raise AssertionError(error)

    def on_done(self, exchange: Exchange) -> None:
        assert exchange not in self.done
        self.done.append(exchange)

    async def feed(self, data: bytes) -> None:
        if not self.transport.closing:
            self.transport.protocol.data_received(data)
        await asyncio.sleep(0)  # what is written is written at the end of the turn

    def lose(self) -> None:
        self.transport.protocol.connection_lost(None)
        assert len(self.done) == len(self.exchanges), "each exchange is done exactly once"


paths = st.from_regex(r"/[a-z]{0,40}", fullmatch=True)
names = st.from_regex(r"x-[a-z]{1,10}", fullmatch=True).map(str.encode)
values = st.from_regex(r"[!-~]([ -~]{0,30}[!-~])?", fullmatch=True).map(str.encode)
bodies = st.binary(max_size=40_000)
answers = st.tuples(st.sampled_from([200, 404, 503]), st.binary(max_size=100_000))
talks = st.lists(
    st.tuples(paths, st.lists(st.tuples(names, values), max_size=5), bodies, answers), min_size=1, max_size=6
)


@given(talks, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_another_implementation_says_is_heard_and_answered_however_it_is_cut(talks: Any, random: Any) -> None:
    async def run() -> None:
        side = Side()
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        client.initiate_connection()
        for path, headers, body, _ in talks:
            stream = client.get_next_available_stream_id()
            client.send_headers(stream, request(path, "POST", *headers), end_stream=not body)
            for at in range(0, len(body), 10_000):
                piece = body[at : at + 10_000]
                room = min(client.local_flow_control_window(stream), len(piece))
                client.send_data(stream, piece[:room])
            if body:
                client.end_stream(stream)
        data = client.data_to_send()
        while data:
            cut = random.randint(1, min(len(data), 20_000))
            await side.feed(data[:cut])
            data = data[cut:]
        assert len(side.exchanges) == len(talks)
        for exchange, (path, headers, _, (status, text)) in zip(side.exchanges, talks, strict=True):
            assert exchange.target == path.encode()
            assert [pair for pair in exchange.headers if pair[0].startswith(b"x-")] == headers
            exchange.reply(status, text)
        await asyncio.sleep(0)
        found: dict[int, bytes] = {}
        statuses: dict[int, bytes] = {}
        while side.transport.written:
            written, side.transport.written = side.transport.written, b""
            for event in client.receive_data(written):
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[b":status"]
                elif isinstance(event, h2.events.DataReceived):
                    found[event.stream_id] = found.get(event.stream_id, b"") + event.data
                    client.increment_flow_control_window(event.flow_controlled_length)
                    with contextlib.suppress(h2.exceptions.StreamClosedError):
                        client.increment_flow_control_window(event.flow_controlled_length, event.stream_id)
            await side.feed(client.data_to_send())
        assert list(statuses.values()) == [b"%d" % answer[0] for *_, answer in talks]
        assert {stream: found.get(stream, b"") for stream in statuses} == {
            stream: answer[1] for stream, (*_, answer) in zip(statuses, talks, strict=True)
        }
        side.lose()

    asyncio.run(run())


anything = st.one_of(
    st.binary(max_size=30),
    st.builds(
        frames.frame,
        st.integers(0, 12),
        st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]),
        st.integers(0, 7),
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([encode(request()), encode(request("/", "POST")), bytes(8), b"\0\0\0\1", b"\0\4\0\0\0\0"]),
        ),
    ),
)


@given(st.lists(anything, max_size=30), st.sampled_from([0, 204, 1]))
@settings(max_examples=400, deadline=None)
def test_any_frames_in_any_order_leave_each_request_done_once(given_frames: list[bytes], what: int) -> None:
    async def run() -> None:
        side = Side()
        await side.feed(frames.PREFACE + frames.settings(()))
        for data in given_frames:
            await side.feed(data)
            for exchange in side.exchanges:
                if what == 204 and exchange not in side.done:
                    exchange.reply(204)
                elif what == 1 and exchange not in side.done:
                    exchange.abort()
        side.lose()

    asyncio.run(run())
