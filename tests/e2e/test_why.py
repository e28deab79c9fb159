"""`swell why` in every home: what it tells is what happened."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from swell.api.kinds import EVENT
from swell.api.meta import rfc3339
from swell.testing.home import WAIT_S, Home, Obj, Objects, unique

COMMAND = (sys.executable, "-m", "swell.cli.main", "why")


class Why:
    """The command, pointed at the cluster under test."""

    def __init__(self, home: Home) -> None:
        self._environ = {**os.environ, "KUBECONFIG": str(home.kubeconfig)}

    async def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=self._environ, capture_output=True, text=True, timeout=60
        )

    async def document(self, name: str, *arguments: str) -> Any:
        """The JSON document of the only revision."""
        told = await self(name, "-o", "json", *arguments)
        assert told.returncode == 0, told.stderr
        (found,) = json.loads(told.stdout)
        return found

    @asynccontextmanager
    async def following(self, name: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
        """The command with --follow; what it prints, line by line."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND, name, "--follow", env=self._environ, stdout=asyncio.subprocess.PIPE
        )

        async def next_line() -> str:
            assert process.stdout is not None
            async with asyncio.timeout(WAIT_S):
                line = await process.stdout.readline()
            assert line, "it has ended"
            return line.decode().rstrip("\n")

        try:
            yield next_line
        finally:
            process.terminate()
            await process.wait()


@pytest.fixture
def why(home: Home) -> Why:
    return Why(home)


async def test_why_from_a_request_to_zero(why: Why, home: Home, objects: Objects) -> None:
    name = unique("why")
    await objects.deploy(objects.service(name, image=home.images.hello, annotations={"window": "6s"}))
    assert (await objects.get(name)).status == 200
    asked_s = time.time()
    await objects.gone(name)
    told = await why(name)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"{home.namespace}/{name}-00001 at ")
    assert "  to zero     it is at zero; the next request starts a pod\n" in told.stdout
    assert "  1 -> 0 pods: nothing was asked\n" in told.stdout
    assert (await objects.get(name)).status == 200
    found = await why.document(name)
    assert found["changes"][-1]["text"] == "0 -> 1 pod: a request came"
    # A report within a second, a tick within two.
    then = await why.document(name, "--at", rfc3339(asked_s + 4))
    assert (then["row"]["want"], then["live"]) == (1, None)


async def test_following_prints_a_change_when_it_happens(why: Why, home: Home, objects: Objects) -> None:
    name = unique("why")
    await objects.deploy(objects.service(name, image=home.images.hello, annotations={"window": "6s"}))
    await objects.gone(name)
    async with why.following(name) as next_line:
        assert (await next_line()).startswith(f"{home.namespace}/{name}-00001 at ")
        assert (await objects.get(name)).status == 200
        told = f"  {home.namespace}/{name}-00001  0 -> 1 pod: a request came"
        while not (await next_line()).endswith(told):
            pass


async def test_changes_of_scale_are_events_of_the_service(home: Home, objects: Objects) -> None:
    name = unique("why")
    service = await objects.deploy(objects.service(name, image=home.images.hello, annotations={"window": "6s"}))
    await objects.gone(name)
    event = await zero_event(objects, service["metadata"]["uid"])
    assert event["involvedObject"]["kind"] == "Service"
    assert event["message"] == f"{name}-00001: 1 -> 0: nothing was asked"


async def zero_event(objects: Objects, uid: str) -> Obj:
    """The Event that tells of going to zero, once it is written."""
    found: list[Obj] = []
    async with asyncio.timeout(WAIT_S):
        while not found:
            await asyncio.sleep(0.5)
            events = await objects.kube.list(EVENT, objects.home.namespace)
            found = [e for e in events.items if e["involvedObject"].get("uid") == uid and e["reason"] == "ScaledToZero"]
    return found[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "there is no Service default/nobody; `swell get ksvc -A` lists those there are"),
        (["nobody", "--at", "noon"], "--at noon: write it as 14:05, 14:05:30, -5m or"),
        (["nobody", "-o", "xml"], "--output xml: allowed are text, json"),
        (["nobody", "--at", "-5m", "--follow"], "say one of them"),
    ],
)
async def test_what_cannot_be_told_is_one_line_that_says_why(why: Why, arguments: list[str], says: str) -> None:
    told = await why(*arguments)
    assert told.returncode == 1
    assert says in told.stderr
    assert len(told.stderr.splitlines()) == 1


async def test_a_time_before_the_ledger_is_refused_with_the_range_there_is(
    why: Why, home: Home, objects: Objects
) -> None:
    name = unique("why")
    await objects.deploy(objects.service(name, image=home.images.hello))
    told = await why(name, "--at", "2020-01-01T00:00:00Z")
    assert told.returncode == 1
    assert f"nothing is kept of {home.namespace}/{name}-00001 at 2020-01-01" in told.stderr
