"""kill -9 of the whole server, and a start on what is left."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from swell.local.apiserver.kubeconfig import read_token

SERVING = Path(__file__).with_name("serving.py")
MAPS = "/api/v1/namespaces/default/configmaps"


class Server:
    """The server's process on a folder, and calls to it."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._options: dict[str, Any] = {
            "ssl": ssl.create_default_context(cafile=str(folder / "pki" / "ca.crt")),
            "headers": {"Authorization": f"Bearer {read_token(folder / 'pki')}"},
        }
        self.process = subprocess.Popen([sys.executable, str(SERVING), str(folder)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def open(self, method: str, path: str, **options: Any) -> Any:
        return self._session.request(method, self.url + path, **self._options, **options)

    async def call(self, method: str, path: str, **options: Any) -> Any:
        async with self.open(method, path, **options) as response:
            return await response.json()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


async def write_until_killed(server: Server, done: list[Any]) -> None:
    for number in range(10_000):
        body = {"metadata": {"name": f"n{number}"}, "data": {"n": str(number)}}
        done.append(await server.call("POST", MAPS, json=body))


async def test_all_that_was_answered_is_there_after_kill_9(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-P", "-m", "swell.local.apiserver.pki", str(tmp_path / "pki")], check=True)
    async with aiohttp.ClientSession() as session:
        server = Server(tmp_path, session)
        done: list[Any] = []
        writing = asyncio.create_task(write_until_killed(server, done))
        while len(done) < 100:
            await asyncio.sleep(0.005)
        server.kill()
        with pytest.raises(aiohttp.ClientError):
            await writing
        again = Server(tmp_path, session)
        try:
            found = (await again.call("GET", MAPS))["items"]
            by_name = {each["metadata"]["name"]: each for each in found}
            assert all(by_name[each["metadata"]["name"]] == each for each in done)
            assert len(found) - len(done) <= 1
            old = done[-1]["metadata"]["resourceVersion"]
            async with again.open("GET", f"{MAPS}?watch=true&resourceVersion={old}") as stream:
                event = json.loads(await stream.content.readline())
            assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        finally:
            again.kill()
