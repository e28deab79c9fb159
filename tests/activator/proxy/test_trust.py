"""Who the caller is, by real connections: from a PROXY header or a trusted proxy's word, or as the socket has it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from activator.proxy.trust import Trust

HERE = ip_network("127.0.0.0/8")
ELSEWHERE = ip_network("192.0.2.0/24")
V1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 80\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80])
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLAIM = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n\r\n"
MakeWorld = Callable[..., Any]


async def tell(line: Any) -> None:
    """Answers with the caller's address and protocol, as the head has them."""
    while True:
        found = {}
        for field in (await line.head()).split(b"\r\n"):
            name, _, value = field.lower().partition(b": ")
            found[name] = value
        body = found[b"x-forwarded-for"] + b"|" + found.get(b"x-forwarded-proto", b"")
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def heard(line: Any) -> bytes:
    head = await line.head()
    return bytes(await line.hear(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])))


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_the_header_may_come_in_any_pieces(make_world: MakeWorld, header: bytes) -> None:
    async with make_world(trust=Trust((HERE,), announced=True)).running() as world:
        await world.app(tell)
        for cut in range(1, len(header) + len(GET)):
            line = await world.caller()
            line.say((header + GET)[:cut])
            await line.writer.drain()
            line.say((header + GET)[cut:])
            assert await heard(line) == b"203.0.113.7|"
            line.say(GET)
            assert await heard(line) == b"203.0.113.7|", "it holds for the whole connection"
        assert {exchange.peer for exchange in world.exchanges} == {("203.0.113.7", 12345)}


@pytest.mark.parametrize("header", [b"", LOCAL, b"PROXY UNKNOWN\r\n"], ids=["none", "LOCAL", "UNKNOWN"])
async def test_without_an_announced_caller_the_peer_speaks_for_itself(make_world: MakeWorld, header: bytes) -> None:
    async with make_world(trust=Trust((HERE,), announced=True)).running() as world:
        await world.app(tell)
        line = await world.caller()
        line.say(header + CLAIM)
        assert await heard(line) == b"198.51.100.1, 127.0.0.1|https"


async def test_an_announced_caller_is_believed_no_more_than_one_who_comes_by_itself(make_world: MakeWorld) -> None:
    for network, answer in (
        (ELSEWHERE, b"203.0.113.7|"),
        (ip_network("203.0.113.0/24"), b"198.51.100.1, 203.0.113.7|https"),
    ):
        async with make_world(trust=Trust((HERE, network), announced=True)).running() as world:
            await world.app(tell)
            line = await world.caller()
            line.say(V2 + CLAIM)
            assert await heard(line) == answer


async def test_of_callers_who_are_not_trusted_the_sockets_address_counts(make_world: MakeWorld) -> None:
    async with make_world(trust=Trust((ELSEWHERE,), announced=True)).running() as world:
        await world.app(tell)
        line = await world.caller()
        line.say(CLAIM)
        assert await heard(line) == b"127.0.0.1|"


async def test_by_default_every_caller_is_believed_and_no_header_understood(world: Any) -> None:
    await world.app(tell)
    line = await world.caller()
    line.say(CLAIM)
    assert await heard(line) == b"198.51.100.1, 127.0.0.1|https"
    assert b" 400 " in await world.ask(V1 + GET)


async def test_a_header_of_a_caller_who_is_not_trusted_is_bad_http(make_world: MakeWorld) -> None:
    for trust in (Trust((ELSEWHERE,), announced=True), Trust((HERE,))):
        async with make_world(trust=trust).running() as world:
            assert b" 400 " in await world.ask(V1 + GET)
            assert b" 400 " in await world.ask(V2 + GET)
            assert not world.exchanges


async def test_a_malformed_header_closes_the_connection_without_an_answer(make_world: MakeWorld) -> None:
    async with make_world(trust=Trust((HERE,), announced=True)).running() as world:
        line = await world.caller()
        line.say(b"PROXY TCP4 nowhere\r\n" + GET)
        with contextlib.suppress(ConnectionResetError):
            assert await line.rest() == b""
        assert not world.exchanges


async def test_a_header_that_never_ends_is_cut_off_with_the_time_limit_for_heads(make_world: MakeWorld) -> None:
    async with make_world(trust=Trust((HERE,), announced=True), head_timeout_s=0.05).running() as world:
        line = await world.caller()
        line.say(V1[:-1])
        assert await line.rest() == b""
        assert world.server.connections == 0


async def test_a_tunnel_begins_behind_a_header(make_world: MakeWorld) -> None:
    async def switch(line: Any) -> None:
        await line.head()
        line.say(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        line.say(await line.hear(4))

    async with make_world(trust=Trust((HERE,), announced=True)).running() as world:
        await world.app(switch)
        line = await world.caller()
        line.say(V2 + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        await line.head()
        line.say(b"ping")
        assert await line.rest() == b"ping"
