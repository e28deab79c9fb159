"""The client over the unix socket: as the store's own, and what happens when the connection is lost."""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest

from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, NODE
from swell.api.meta import Obj
from swell.kube.errors import AlreadyExists, Conflict, Expired, Invalid, NotFound, Unavailable
from swell.local.apiserver.link_client import LinkClient
from swell.local.apiserver.link_server import LinkServer
from swell.local.apiserver.server import StoreClient


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "link.sock")


@pytest.fixture
async def server(api: Any, path: str) -> AsyncIterator[LinkServer]:
    server = LinkServer(StoreClient(api.server), path)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: LinkServer, path: str) -> AsyncIterator[LinkClient]:
    client = LinkClient(path)
    yield client
    await client.close()


def config_map(name: str = "one", **data: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": {"name": name}},
        "data": data,
    }


async def test_every_call_is_as_in_process(client: LinkClient) -> None:
    made = await client.create(CONFIG_MAP, config_map(a="1"))
    assert await client.get(CONFIG_MAP, "default", "one") == made
    written = await client.update(CONFIG_MAP, {**made, "data": {"a": "2"}})
    patched = await client.patch(CONFIG_MAP, "default", "one", {"data": {"b": "3"}})
    assert patched["data"] == {"a": "2", "b": "3"}
    operations = [{"op": "remove", "path": "/data/a"}]
    assert (await client.patch(CONFIG_MAP, "default", "one", operations, patch_type="json"))["data"] == {"b": "3"}
    await client.create(CONFIG_MAP, config_map("two"))
    listed = await client.list(CONFIG_MAP, "default", label_selector="name=one")
    assert [item["metadata"]["name"] for item in listed.items] == ["one"]
    assert int(listed.resource_version) > int(written["metadata"]["resourceVersion"])
    await client.delete(CONFIG_MAP, "default", "one", uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAP, "default", "one")


async def test_errors_keep_their_class_and_words(client: LinkClient) -> None:
    made = await client.create(CONFIG_MAP, config_map())
    with pytest.raises(AlreadyExists, match='configmaps "one" already exists') as caught:
        await client.create(CONFIG_MAP, config_map())
    assert caught.value.details == {"name": "one", "kind": "configmaps"}
    await client.patch(CONFIG_MAP, "default", "one", {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        await client.update(CONFIG_MAP, {**made, "data": {"a": "2"}})
    with pytest.raises(Invalid):
        await client.create(DEPLOYMENT, {"metadata": {"name": "web", "namespace": "default"}, "spec": {}})


async def test_a_watch_streams_until_it_is_closed(client: LinkClient, api: Any) -> None:
    version = (await client.list(CONFIG_MAP)).resource_version
    async with aclosing(client.watch(CONFIG_MAP, resource_version=version)) as events:  # type: ignore[type-var]
        await client.create(CONFIG_MAP, config_map("one"))
        await client.create(CONFIG_MAP, config_map("two"))
        names = [(await anext(events)).object["metadata"]["name"] for _ in range(2)]
        assert names == ["one", "two"]
        assert api.watchers == 1
    await client.list(NODE)
    assert api.watchers == 0


async def test_a_watch_from_a_version_that_is_gone_says_so(client: LinkClient) -> None:
    with pytest.raises(Expired):
        await anext(client.watch(CONFIG_MAP, resource_version="0"))


async def test_a_call_that_breaks_the_server_is_answered_all_the_same(client: LinkClient) -> None:
    with pytest.raises(Unavailable, match="internal error"):
        await client.create(CONFIG_MAP, {"metadata": 3})
    assert (await client.list(CONFIG_MAP)).items == []


async def test_many_calls_are_under_way_at_once(client: LinkClient) -> None:
    names = [f"n{number}" for number in range(50)]
    await asyncio.gather(*(client.create(CONFIG_MAP, config_map(name)) for name in names))
    found = await asyncio.gather(*(client.get(CONFIG_MAP, "default", name) for name in names))
    assert [each["metadata"]["name"] for each in found] == names


async def test_a_lost_connection_fails_what_is_under_way_and_the_next_call_connects_anew(
    client: LinkClient, server: LinkServer, api: Any, path: str
) -> None:
    version = (await client.list(CONFIG_MAP)).resource_version
    watching = asyncio.ensure_future(anext(client.watch(CONFIG_MAP, resource_version=version)))
    await client.list(NODE)
    await server.close()
    with pytest.raises(Unavailable, match="the connection to the API server is lost"):
        await watching
    with pytest.raises(Unavailable):
        await client.list(CONFIG_MAP)
    assert api.watchers == 0
    second = LinkServer(StoreClient(api.server), path)
    await second.start()
    assert (await client.list(CONFIG_MAP)).items == []
    await second.close()


async def test_without_a_server_the_socket_is_named(path: str) -> None:
    with pytest.raises(Unavailable, match="link.sock does not answer"):
        await LinkClient(path).list(CONFIG_MAP)


async def test_a_patient_client_waits_for_a_server_that_is_not_there_yet(path: str, api: Any) -> None:
    client = LinkClient(path, patience_s=30)
    waiting = asyncio.ensure_future(client.list(CONFIG_MAP))
    await asyncio.sleep(0)
    server = LinkServer(StoreClient(api.server), path)
    await server.start()
    assert (await waiting).items == []
    await client.close()
    await server.close()


async def test_only_this_user_can_open_the_socket(server: LinkServer, path: str) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_a_caller_that_goes_takes_its_watches_along(server: LinkServer, api: Any, path: str) -> None:
    client = LinkClient(path)
    version = (await client.list(CONFIG_MAP)).resource_version
    watching = asyncio.ensure_future(anext(client.watch(CONFIG_MAP, resource_version=version)))
    await client.list(NODE)
    assert api.watchers == 1
    await client.close()
    with pytest.raises(Unavailable):
        await watching
    async with asyncio.timeout(10):
        while api.watchers:
            await asyncio.sleep(0)


async def test_a_call_that_there_is_not_is_refused(server: LinkServer, path: str) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    call = orjson.dumps({"id": 1, "op": "close", "kind": ["", "v1", "ConfigMap", "configmaps", True]})
    writer.write(struct.pack(">I", len(call)) + call)
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    assert orjson.loads(await reader.readexactly(size))["error"]["code"] == 405
    writer.write(struct.pack(">I", 1 << 31))
    assert await reader.read() == b"", "a frame that is too large ends the connection"
    writer.close()
