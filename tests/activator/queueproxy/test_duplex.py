"""Answers that begin before the request has ended, through a real queue-proxy: spec dataplane C70, 3.10."""

from __future__ import annotations

import asyncio

import pytest

from swell.testing.peers import App, Caller
from swell.testing.sidecar import Sidecar, sidecar

CLIENTS = 32
POSTS = 50
BODY = bytes(range(256)) * 128  # 32 KiB


async def echo_body(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the body of the request, piece by piece as it comes."""
    left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
    while left:
        data = await reader.read(min(left, 4096))
        if not data:
            return
        left -= len(data)
        writer.write(data)
        await writer.drain()


async def post(qp: Sidecar) -> int:
    """How many posts of one caller, on one connection, are answered whole."""
    caller = await Caller.connect(qp.address)
    whole = 0
    for _ in range(POSTS):
        caller.send("/", {"Content-Length": str(len(BODY))}, "POST")
        caller.writer.write(BODY)
        answer = await caller.answer()
        whole += (answer.status, answer.body, answer.complete) == (200, BODY, True)
    caller.close()
    return whole


# An exchange is full duplex whatever the annotation says (spec dataplane 3.10 has it off by default).
@pytest.mark.parametrize("setting", ["true", "false"])
async def test_case_70_every_answer_is_complete_that_begins_before_its_request_has_ended(setting: str) -> None:
    app = App(echo_body)
    await app.start()
    async with sidecar(app, ENABLE_HTTP_FULL_DUPLEX=setting) as qp:
        assert await asyncio.gather(*(post(qp) for _ in range(CLIENTS))) == [POSTS] * CLIENTS
