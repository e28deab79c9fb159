"""The host's unix socket: calls come in as lines, answers and news of ends go out. Knows bytes and words only."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from typing import Final

from swell.local.host.loop import READ, WRITE, Loop
from swell.local.host.wire import BACKLOG_BYTES_MAX, LINE_BYTES_MAX, Message, encode

CLIENTS_MAX: Final = 16
CHUNK_BYTES: Final = 256 * 1024

Answer = Callable[[Message], Message]


class Server:
    """Listens on `path`, which only this user can open; `answer(call)` gives the answer to a call."""

    def __init__(self, loop: Loop, path: str, answer: Answer) -> None:
        self._loop = loop
        self._path = path
        self._answer = answer
        self._clients: set[_Client] = set()
        self._socket = _listen(path)
        loop.watch(self._socket, READ, self._accept)

    def tell(self, message: Message) -> None:
        """Send to all clients."""
        line = encode(message)
        for client in tuple(self._clients):
            client.send(line)

    def close(self) -> None:
        for client in tuple(self._clients):
            client.close()
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _accept(self, _: int) -> None:
        try:
            sock, _address = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if len(self._clients) >= CLIENTS_MAX:
            sock.close()
            return
        self._clients.add(_Client(self._loop, sock, self._answer, self._clients.discard))


class _Client:
    def __init__(self, loop: Loop, sock: socket.socket, answer: Answer, on_closed: Callable[[_Client], object]) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._socket = sock
        self._answer = answer
        self._on_closed = on_closed
        self._read = bytearray()
        self._unsent = bytearray()
        self._closed = False
        loop.watch(sock, READ, self._ready)

    def send(self, line: bytes) -> None:
        if self._closed:
            return
        self._unsent += line
        if len(self._unsent) > BACKLOG_BYTES_MAX:
            self.close()
        else:
            self._flush()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.forget(self._socket)
            self._socket.close()
            self._on_closed(self)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and not self._closed:
            self._receive()

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            self._loop.watch(self._socket, READ | WRITE, self._ready)
            return
        except OSError:
            self.close()  # it is gone; what it asked for stays as it is
            return
        self._loop.watch(self._socket, READ, self._ready)

    def _receive(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            chunk = b""
        if not chunk:
            self.close()
            return
        self._read += chunk
        *lines, rest = bytes(self._read).split(b"\n")
        self._read = bytearray(rest)
        if len(rest) > LINE_BYTES_MAX or not all(map(self._serve, lines)):
            self.close()

    def _serve(self, line: bytes) -> bool:
        """Answer one call; False if it is none."""
        try:
            call = json.loads(line)
        except ValueError:
            return False
        if not isinstance(call, dict):
            return False
        self.send(encode(self._answer(call)))
        return True


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    sock.listen(CLIENTS_MAX)
    sock.setblocking(False)
    return sock
