"""The app of bench.endurance: answers late if asked to, takes uploads of any size, sends downloads of any size."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import parse_qs, urlsplit

import uvloop

PIECE = bytes(256 * 1024)


class App(asyncio.Protocol):
    """One connection. `_left`: what is still to come of an upload, or to go of a download."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._seen = b""
        self._uploads = 0
        self._downloads = 0
        self._paused = False

    def data_received(self, data: bytes) -> None:
        if self._uploads:
            self._uploads -= len(data)
            if not self._uploads:
                self._answer()
            return
        self._seen += data
        head, end, rest = self._seen.partition(b"\r\n\r\n")
        if end:
            self._seen = b""
            self._begin(head, rest)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send()

    def _begin(self, head: bytes, rest: bytes) -> None:
        query = parse_qs(urlsplit(head.split()[1].decode()).query)
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        self._uploads = int(length.partition(b":")[2]) - len(rest)
        if self._uploads:
            return
        if "bytes" in query:
            self._downloads = int(query["bytes"][0])
            self._write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self._downloads)
            self._send()
        else:
            asyncio.get_running_loop().call_later(int(query.get("sleep_ms", ["0"])[0]) / 1000, self._answer)

    def _answer(self) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def _send(self) -> None:
        while self._downloads and not self._paused:
            piece = PIECE[: self._downloads]
            self._downloads -= len(piece)
            self._write(piece)

    def _write(self, data: bytes) -> None:
        self._transport.write(data)  # type: ignore[attr-defined]


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(App, "127.0.0.1", int(os.environ["PORT"]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
