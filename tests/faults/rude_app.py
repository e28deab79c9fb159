"""An app that breaks the rules of HTTP/1.1 connections, by path. `/runs?id=` says how often an id has reached it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter
from urllib.parse import parse_qs, urlsplit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
runs: Counter[str] = Counter()


async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answered = 0
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if not await answer(head, answered, reader, writer):
                return
            answered += 1
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the queue-proxy has closed it
    finally:
        writer.close()


async def answer(head: bytes, answered: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection goes on."""
    url = urlsplit(head.split()[1].decode())
    number = parse_qs(url.query).get("id", [""])[0]
    if url.path == "/runs":
        body = b"%d" % runs[number]
        writer.write(OK % (len(body), body))
        return True
    runs[number] += 1
    match url.path:
        case "/reset":  # in the middle of an answer
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning")
            return await reset(writer)
        case "/reset-chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n")
            return await reset(writer)
        case "/second":  # takes a second request on a connection, and leaves
            if answered:
                return False
        case "/leaves":  # promises to stay, and leaves
            writer.write(OK % (2, b"ok"))
            return False
        case "/never":
            await reader.read()
            return False
        case "/early":  # does not read the body
            writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch")
            await writer.drain()
            await asyncio.sleep(2)
            return False
        case "/early-reset":
            writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch")
            return await reset(writer)
    await body_of(head, reader)
    writer.write(OK % (2, b"ok"))
    return True


async def reset(writer: asyncio.StreamWriter) -> bool:
    await writer.drain()
    await asyncio.sleep(0.05)  # what was written is out
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
    return False


async def body_of(head: bytes, reader: asyncio.StreamReader) -> None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))


async def main() -> None:
    server = await asyncio.start_server(connection, "127.0.0.1", int(os.environ["PORT"]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
