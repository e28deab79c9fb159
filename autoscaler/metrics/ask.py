"""Asking pods for their figures: one kept connection each, no task. Knows HTTP and addresses, not revisions.

Written on the parser instead of a client library because it runs a thousand times a second: see `bench.scrape`.
Source: spec autoscaling 2.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

from autoscaler.metrics.sample import Address, Fault, Figures
from swell.runtime.clock import Cancellable, Clock
from swell.wire.errors import WireError
from swell.wire.headers import STATS_CONTENT_TYPE
from swell.wire.stats import decode_stat

TIMEOUT_S: Final = 3.0
BODY_BYTES_MAX: Final = 336
ANSWER_BYTES_MAX: Final = 16 * 1024
# Connections that wait for the next second; one more is closed after its answer.
KEPT_MAX: Final = 2048
MESH_STATUSES: Final = (502, 503)

Told = Callable[[Figures | Fault], None]


class Asker:
    """Asks pods. `passthrough`: a mesh is told to send what comes by address to that pod."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.passthrough = False
        self._kept: dict[Address, _Link] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self.asking = 0
        """How many answers are owed."""

    def ask(self, address: Address, tell: Told) -> None:
        """Have `tell` called once, later, with what the pod says."""
        self.asking += 1
        link = self._kept.pop(address, None)
        question = _Question(self, address, tell, self._clock, renew=link is not None)
        if link is not None:
            link.send(question, self._request(address))
        else:
            self.connect(question)

    def connect(self, question: _Question) -> None:
        """Ask on a new connection."""
        task = question.connecting = asyncio.create_task(self._connect(question))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def keep(self, address: Address, link: _Link) -> bool:
        """Whether the connection may wait for the next question."""
        if len(self._kept) >= KEPT_MAX or address in self._kept:
            return False
        self._kept[address] = link
        return True

    def drop(self, address: Address, link: _Link | None = None) -> None:
        """Forget a kept connection: that one, or whichever the pod has."""
        if link is None or self._kept.get(address) is link:
            gone = self._kept.pop(address, None)
            if gone is not None:
                gone.close()

    async def close(self) -> None:
        """Ask nobody any more; who waits for an answer gets none."""
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for address in list(self._kept):
            self.drop(address)

    async def _connect(self, question: _Question) -> None:
        host, port = question.address
        try:
            _, link = await asyncio.get_running_loop().create_connection(lambda: _Link(self, question), host, port)
        except OSError as exc:
            question.answer(Fault(f"{host}:{port}: {exc.strerror or exc}"))
            return
        link.send(question, self._request(question.address))

    def _request(self, address: Address) -> bytes:
        host, port = address
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        direct = "Knative-Direct-Lb: true\r\n" if self.passthrough else ""
        return f"GET /metrics HTTP/1.1\r\nHost: {name}\r\nAccept: application/protobuf\r\n{direct}\r\n".encode()


class _Question:
    """One answer that is owed. `renew`: a kept connection that ends without a byte was closed before it was used."""

    __slots__ = ("_asker", "_open", "_tell", "_timer", "address", "connecting", "link", "renew")

    def __init__(self, asker: Asker, address: Address, tell: Told, clock: Clock, *, renew: bool) -> None:
        self._asker = asker
        self.address = address
        self._tell = tell
        self.renew = renew
        self._open = True
        self.connecting: asyncio.Task[None] | None = None
        self.link: _Link | None = None
        self._timer: Cancellable = clock.call_later(TIMEOUT_S, self._late)

    def answer(self, found: Figures | Fault) -> None:
        """Tell, the first time."""
        if self._open:
            self._open = False
            self._timer.cancel()
            self._asker.asking -= 1
            self._tell(found)

    def lost(self, unused: bool) -> None:
        """The connection has ended; `unused`: before a byte of the answer."""
        if unused and self.renew and self._open:
            self.renew = False
            self._asker.connect(self)
        else:
            self.answer(Fault(f"{self._where}: the connection ended before the answer"))

    def _late(self) -> None:
        self.answer(Fault(f"{self._where}: no answer within {TIMEOUT_S:g} s"))
        if self.link is not None:
            self.link.close()
        elif self.connecting is not None:
            self.connecting.cancel()

    @property
    def _where(self) -> str:
        return "{}:{}".format(*self.address)


class _Link(asyncio.Protocol):
    """One connection to one pod; answers one question at a time."""

    def __init__(self, asker: Asker, question: _Question) -> None:
        self._asker = asker
        self._address = question.address
        self._question: _Question | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    def _begin(self) -> None:
        self._seen = 0
        self._body = b""
        self._type = b""

    def send(self, question: _Question, request: bytes) -> None:
        assert self._transport is not None
        self._begin()
        self._question, question.link = question, self
        self._transport.write(request)

    def close(self) -> None:
        self._question = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._seen += len(data)
        try:
            if self._question is None or self._seen > ANSWER_BYTES_MAX:
                raise httptools.HttpParserError("more than was asked for")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._end(Fault(f"no answer that can be read: {exc}"), keep=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._asker.drop(self._address, self)
        question, self._question = self._question, None
        if question is not None:
            question.lost(unused=self._seen == 0)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self._type = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._end(self._read(), keep=self._parser.should_keep_alive())

    def _read(self) -> Figures | Fault:
        status = self._parser.get_status_code()
        if not 200 <= status < 300:
            return Fault(f"status {status}", mesh=status in MESH_STATUSES)
        if self._type != STATS_CONTENT_TYPE:
            return Fault(f"content type {self._type.decode('latin-1')!r}, allowed: application/protobuf")
        try:
            stat = decode_stat(self._body[:BODY_BYTES_MAX])
        except WireError as exc:
            return Fault(f"no statistics: {exc}")
        return Figures(
            stat.average_concurrent_requests,
            stat.average_proxied_concurrent_requests,
            stat.request_count,
            stat.proxied_request_count,
        )

    def _end(self, found: Figures | Fault, *, keep: bool) -> None:
        question, self._question = self._question, None
        if isinstance(found, Fault):
            found = Fault("{}:{}: {}".format(*self._address, found.error), found.mesh)
        if not (keep and self._asker.keep(self._address, self)):
            self.close()
        if question is not None:
            question.answer(found)
