"""What reaches the app, which revision it reaches, and what moves while requests keep coming."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from swell.api.kinds import SERVICE
from swell.testing.home import Objects, unique


async def test_a_change_makes_a_new_revision_and_no_request_fails_while_traffic_moves(
    objects: Objects,
) -> None:
    name = unique("move")
    await objects.deploy(objects.service(name, env={"VERSION": "1"}))
    versions: Counter[str] = Counter()
    moved = asyncio.Event()

    async def caller() -> None:
        while not moved.is_set() or versions["2"] < 50:
            answer = await objects.get(name)
            assert answer.status == 200, answer.text
            versions[answer.json()["version"]] += 1

    callers = [asyncio.create_task(caller()) for _ in range(4)]
    await objects.deploy(objects.service(name, env={"VERSION": "2"}))
    moved.set()
    await asyncio.gather(*callers)

    service = await objects.ready(name)
    assert service["status"]["latestReadyRevisionName"] == f"{name}-00002"
    assert versions["1"] > 0
    assert (await objects.get(name)).json()["revision"] == f"{name}-00002"


async def test_traffic_is_split_by_percent_and_each_tag_has_a_host(objects: Objects) -> None:
    name = unique("split")
    await objects.deploy(objects.service(name, env={"VERSION": "1"}))
    second = objects.service(name, env={"VERSION": "2"})
    second["spec"]["traffic"] = [
        {"revisionName": f"{name}-00001", "percent": 70, "tag": "old"},
        {"latestRevision": True, "percent": 30, "tag": "new"},
    ]
    service = await objects.deploy(second)
    await objects.until_answer(name, lambda answer: answer.json()["version"] == "2")

    answers = [await objects.get(name) for _ in range(200)]

    versions = Counter(answer.json()["version"] for answer in answers)
    assert versions == {"1": 140, "2": 60}
    assert (await objects.get(f"old-{name}")).json()["version"] == "1"
    assert (await objects.get(f"new-{name}")).json()["version"] == "2"
    urls = [target.get("url") for target in service["status"]["traffic"]]
    assert urls == [
        f"http://{objects.home.host(f'old-{name}')}",
        f"http://{objects.home.host(f'new-{name}')}",
    ]


async def test_an_unknown_host_is_a_404_that_names_only_what_was_asked(objects: Objects) -> None:
    name = unique("known")
    await objects.deploy(objects.service(name))
    answer = await objects.get("nobody", host="nobody.example.com")
    assert answer.status == 404
    assert "nobody.example.com" in answer.text
    assert name not in answer.text


async def test_the_app_sees_the_callers_host_path_and_headers(objects: Objects) -> None:
    name = unique("headers")
    service = await objects.deploy(objects.service(name))
    assert service["status"]["url"] == f"http://{objects.home.host(name)}"
    seen = (await objects.get(name, "/a/b?c=d", headers={"X-Mine": "yes", "K-Proxy-Request": "spoofed"})).json()
    assert seen["path"] == "/a/b?c=d"
    assert seen["host"] == objects.home.host(name)
    assert seen["headers"]["x-mine"] == "yes"
    assert objects.home.caller in seen["headers"]["x-forwarded-for"]
    assert seen["headers"]["k-proxy-request"] == "activator"


async def test_bodies_stream_both_ways(objects: Objects) -> None:
    name = unique("stream")
    await objects.deploy(objects.service(name))
    answered: asyncio.Queue[bytes] = asyncio.Queue()
    sent = asyncio.Event()

    async def body() -> object:
        yield b"first"
        # The second part goes only when the first has come back: neither side waits for the whole.
        assert await answered.get() == b"first"
        yield b"x" * 5_000_000
        sent.set()

    headers = {"Host": objects.home.host(name)}
    async with objects.session.post(objects.home.url("/echo"), data=body(), headers=headers) as answer:
        assert await answer.content.readexactly(5) == b"first"
        await answered.put(b"first")
        rest = await answer.read()
    assert sent.is_set()
    assert rest == b"x" * 5_000_000


async def test_a_websocket_passes_through_even_from_zero(objects: Objects) -> None:
    name = unique("ws")
    await objects.deploy(objects.service(name, annotations={"window": "6s"}))
    await objects.gone(name)
    headers = {"Host": objects.home.host(name)}
    async with objects.session.ws_connect(objects.home.url("/ws"), headers=headers) as ws:
        for word in ("hello", "again"):
            await ws.send_str(word)
            message = await ws.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.TEXT, word.upper())


async def test_deleting_a_service_takes_its_children_and_its_route_along(objects: Objects) -> None:
    name = unique("gone")
    await objects.deploy(objects.service(name))
    await objects.kube.delete(SERVICE, objects.home.namespace, name)
    await objects.gone(name)
    assert await objects.revisions(name) == []
    assert await objects.deployments(name) == []
    assert (await objects.get(name)).status == 404
