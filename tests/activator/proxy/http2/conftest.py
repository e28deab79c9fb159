"""Peers that speak HTTP/2 by the `h2` library, on either side of the proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest

Line = Any
World = Any
Fields = list[tuple[bytes, bytes]]
E = TypeVar("E", bound=h2.events.Event)

OK: Fields = [(b":status", b"200")]


def request(path: str = "/", method: str = "GET", *more: tuple[bytes, bytes]) -> Fields:
    return [
        (b":method", method.encode()),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"a.example"),
        *more,
    ]


class Message:
    """What came of one message: `headers` and `trailers` as dicts, `body`, and how it `ended`."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.interim: list[dict[bytes, bytes]] = []
        self.trailers: dict[bytes, bytes] = {}
        self.body = b""
        self.reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.headers[b":status"])


class Speaker:
    """One side of a connection. Takes all data at once, unless `credit` is off."""

    def __init__(self, line: Line, *, client: bool, **settings: int) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        self.line = line
        self.credit = True
        self.events: list[h2.events.Event] = []
        self.closed = False
        if settings:
            values = {h2.settings.SettingCodes[name.upper()]: value for name, value in settings.items()}
            self.h2.local_settings = h2.settings.Settings(client=client, initial_values=values)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.line.say(data)

    async def read(self) -> None:
        """Take in what comes next."""
        async with asyncio.timeout(20):
            data = await self.line.reader.read(65536)
        self.closed = self.closed or not data
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if self.credit and isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self.h2.increment_flow_control_window(event.flow_controlled_length)
                with contextlib.suppress(h2.exceptions.StreamClosedError):
                    self.h2.increment_flow_control_window(event.flow_controlled_length, event.stream_id)
        self.flush()

    async def event(self, kind: type[E], stream: int | None = None) -> E:
        """Wait for the first event of a kind that was not asked for yet."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and (stream is None or getattr(event, "stream_id", None) == stream):
                    self.events.remove(event)
                    return event
            if self.closed:
                raise AssertionError(f"closed without {kind.__name__}; there were {self.events}")
            await self.read()

    def ask(self, fields: Fields, body: bytes | None = None, *, ended: bool = True) -> int:
        """Send a request; returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=body is None and ended)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=ended)
        self.flush()
        return stream

    def say(self, stream: int, data: bytes, *, ended: bool = False) -> None:
        self.h2.send_data(stream, data, end_stream=ended)
        self.flush()

    async def pour(self, stream: int, data: bytes) -> None:
        """Send data of any size, as the peer takes it."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(data))
            if room:
                self.say(stream, data[:room])
                data = data[room:]
            else:
                await self.event(h2.events.WindowUpdated)

    def head(self, stream: int, fields: Fields, *, ended: bool = False) -> None:
        self.h2.send_headers(stream, fields, end_stream=ended)
        self.flush()

    async def message(self, stream: int) -> Message:
        """All of what the peer says on a stream."""
        found = Message()
        while True:
            event = await self.event(h2.events.Event, stream)
            if isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived):
                found.headers = dict(event.headers)
            elif isinstance(event, h2.events.InformationalResponseReceived):
                found.interim.append(dict(event.headers))
            elif isinstance(event, h2.events.TrailersReceived):
                found.trailers = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                found.body += event.data
            elif isinstance(event, h2.events.StreamReset):
                found.reset = event.error_code
                return found
            elif isinstance(event, h2.events.StreamEnded):
                return found


Talk2 = Callable[[Speaker], Awaitable[None]]


class Peers:
    """Makes the peers of a world."""

    Speaker = Speaker

    def __init__(self, world: World) -> None:
        self.world = world

    async def caller(self) -> Speaker:
        return Speaker(await self.world.caller(), client=True)

    async def app(self, talk: Talk2, **settings: int) -> Any:
        """An app that `talk`s on each connection; the proxy speaks HTTP/2 to it."""

        async def speak(line: Line) -> None:
            await talk(Speaker(line, client=False, **settings))

        self.world.http2 = True
        return await self.world.app(speak)

    async def echo(self) -> Any:
        """An app that answers each request with its body and its head, and with trailers."""

        async def talk(app: Speaker) -> None:
            while True:
                asked = await app.event(h2.events.RequestReceived)
                message = await app.message(asked.stream_id)
                method = dict(asked.headers)[b":method"]
                app.head(asked.stream_id, [*OK, (b"x-method", method)])
                await app.pour(asked.stream_id, message.body)
                app.head(asked.stream_id, [(b"x-size", b"%d" % len(message.body))], ended=True)

        return await self.app(talk)


@pytest.fixture
def peers(world: World) -> Peers:
    return Peers(world)
