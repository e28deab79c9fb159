"""The same odd requests to nginx and to our proxy, in front of the same app: what differs is meant, and says why."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from swell.testing.peers import free_port
from tests.activator.proxy.odd_requests import CASES, LAST, Case

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    large_client_header_buffers 4 64k;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{app_port};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
        }}
    }}
}}
"""
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
PATIENCE_S = 20.0
# A proxy's own word on where a request comes from, and the framing of what is compared as a body.
LEFT_OUT = (b"x-forwarded-for", b"content-length", b"transfer-encoding")
World = Any
Line = Any


class Seen(NamedTuple):
    """What the app saw of one request. `body` is what it carried, None if it did not come whole."""

    line: bytes
    headers: tuple[bytes, ...]
    body: bytes | None
    trailers: bytes = b""


class Outcome(NamedTuple):
    statuses: list[int]
    seen: list[Seen]

    def like(self) -> tuple[list[int], list[Seen]]:
        """What is compared: of answers that are errors the class counts, not the number."""
        return [status if status < 400 else status // 100 for status in self.statuses], self.seen


class Recorder:
    """An app that keeps what it sees, and asks for the body if a caller waits to be asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.begun = asyncio.Event()

    async def talk(self, line: Line) -> None:
        while True:
            start, *fields = (await line.head())[:-4].split(b"\r\n")
            pairs = [(name, value.strip()) for name, _, value in (field.partition(b":") for field in fields)]
            named = {name.lower(): value for name, value in pairs}
            kept = sorted(b"%b: %b" % pair for pair in pairs if pair[0].lower() not in LEFT_OUT)
            at = len(self.seen)
            self.seen.append(Seen(start, tuple(kept), None))
            self.begun.set()
            if b"expect" in named:
                line.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            body, trailers = await self.body(line, named)
            self.seen[at] = Seen(start, tuple(kept), body, trailers)
            line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if start.startswith(b"HEAD ") else b"ok"))

    async def body(self, line: Line, named: dict[bytes, bytes]) -> tuple[bytes, bytes]:
        if b"transfer-encoding" not in named:
            return await line.hear(int(named.get(b"content-length", b"0"))), b""
        body = b""
        while size := int((await line.until(b"\r\n")).partition(b";")[0], 16):
            body += (await line.hear(size + 2))[:-2]
        trailers = await line.until(b"\r\n")
        while not trailers.endswith(b"\r\n\r\n") and trailers != b"\r\n":
            trailers += await line.until(b"\r\n")
        return body, trailers[:-2]


async def outcome(port: int, case: Case, recorder: Recorder) -> Outcome:
    """What comes of a case on a connection to `port`."""
    recorder.seen = []
    recorder.begun.clear()
    loop = asyncio.get_running_loop()
    with socket.socket() as caller:
        caller.setblocking(False)
        await loop.sock_connect(caller, ("127.0.0.1", port))
        answers = asyncio.ensure_future(read(caller))
        await loop.sock_sendall(caller, case.data if case.unfinished else case.data + LAST)
        if case.unfinished:
            begun = asyncio.ensure_future(recorder.begun.wait())
            await asyncio.wait([answers, begun], return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()
            caller.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(PATIENCE_S):
            statuses = [int(status) for status in STATUS.findall(await answers)]
    return Outcome(statuses, recorder.seen)


async def read(caller: socket.socket) -> bytes:
    """All that comes, to the end or a reset."""
    loop, answers = asyncio.get_running_loop(), b""
    try:
        while data := await loop.sock_recv(caller, 65536):
            answers += data
    except ConnectionError:
        pass
    return answers


@pytest.fixture(scope="module")
def app_port() -> int:
    """Where the app of each test listens."""
    return free_port()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, app_port: int) -> Iterator[int]:
    """Its port."""
    if NGINX is None:
        pytest.skip("there is no nginx here: apt-get install nginx")
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION.format(folder=folder, port=port, app_port=app_port))
    with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(path), "-e", "stderr"]) as process:
        try:
            until_listening(port)
            yield port
        finally:
            process.kill()


def until_listening(port: int) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < until_s, "nginx did not start"
            time.sleep(0.01)


class Place:
    """Our proxy, and the app that both of them have behind them."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        self.world = world
        self.recorder = recorder

    async def ours(self, case: Case) -> Outcome:
        return await outcome(self.world.server.listening_port, case, self.recorder)


@pytest.fixture
async def place(world: World, app_port: int) -> AsyncIterator[Place]:
    recorder = Recorder()
    await world.app(recorder.talk, port=app_port)
    yield Place(world, recorder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_odd_request_is_answered_as_its_table_says(place: Place, case: Case) -> None:
    statuses, seen = await place.ours(case)
    assert next(iter(statuses), 0) == case.status
    if case.status >= 400:
        assert (statuses, seen) == ([case.status], []), "what is refused ends the connection, and no app sees it"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_odd_request_fares_as_through_nginx_or_it_says_why_not(place: Place, nginx: int, case: Case) -> None:
    ours = await place.ours(case)
    theirs = await outcome(nginx, case, place.recorder)
    if case.why:
        assert ours.like() != theirs.like(), f"no longer differs: {case.why}"
    else:
        assert ours.like() == theirs.like()
