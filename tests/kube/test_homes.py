"""The same client whatever carries it: in process, over the link, over HTTPS."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD, Kind
from swell.api.meta import Key, Obj, key_of
from swell.kube.client import KubeClient, WatchEvent
from swell.kube.errors import AlreadyExists, Conflict, Expired, Invalid, NotFound, Unavailable
from swell.kube.informer import Informer
from swell.kube.rest import RestClient
from swell.local.apiserver.http import HttpsServer, serve_https
from swell.local.apiserver.kubeconfig import write_kubeconfig
from swell.local.apiserver.link_client import WATCH_FRAMES_MAX, LinkClient
from swell.local.apiserver.link_server import LinkServer
from swell.local.apiserver.pki import make_pki
from swell.local.apiserver.server import ApiServer, StoreClient
from swell.local.apiserver.store import Store, open_store
from swell.runtime.clock import SystemClock

MakePod = Callable[..., Obj]
WAIT_S = 10.0


class Home:
    """A real server on a file, which can be taken away and started again, and a client of it."""

    def __init__(self, carrier: str, folder: Path) -> None:
        self.carrier = carrier
        self._folder = folder
        self._store: Store | None = None
        self._front: HttpsServer | LinkServer | None = None
        self._port = 0
        self.client: KubeClient
        self.direct: StoreClient

    async def start(self) -> None:
        self._store = open_store(self._folder / "cluster.db")
        server = ApiServer(self._store)
        self.direct = StoreClient(server)
        if self.carrier == "rest":
            await self._serve_https(server)
        elif self.carrier == "link":
            await self._serve_link()
        else:
            self.client = self.direct

    async def stop(self) -> None:
        if self._front is not None:
            await self._front.close()
        if self._store is not None:
            self._store.close()

    async def _serve_https(self, server: ApiServer) -> None:
        pki = self._folder / "pki"
        first = not self._port
        if first:
            make_pki(pki, datetime.datetime.now(datetime.UTC))
        front = await serve_https(server, host="127.0.0.1", port=self._port, pki=pki)
        self._front, self._port = front, front.port
        if first:
            write_kubeconfig(self._folder / "kubeconfig", server=front.url, pki=pki)
            self.client = await RestClient.from_kubeconfig(str(self._folder / "kubeconfig"))

    async def _serve_link(self) -> None:
        path = str(self._folder / "link.sock")
        self._front = front = LinkServer(self.direct, path)
        await front.start()
        if not hasattr(self, "client"):
            self.client = LinkClient(path)


@pytest.fixture(params=["store", "link", "rest"])
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(request.param, tmp_path)
    await home.start()
    await home.direct.create(NAMESPACE, {"metadata": {"name": "default"}})
    yield home
    await home.client.close()
    await home.stop()


class Followed:
    """An informer and everything that its handlers heard."""

    def __init__(self, client: KubeClient, kind: Kind = POD, **options: Any) -> None:
        self.heard: list[tuple[str | None, str | None]] = []
        self._changed = asyncio.Event()
        self.informer = Informer(client, kind, clock=SystemClock(), **options)
        self.informer.add_handler(self._hear)

    def _hear(self, old: Obj | None, new: Obj | None) -> None:
        self.heard.append(tuple(obj and obj["metadata"]["name"] for obj in (old, new)))  # type: ignore[arg-type]
        self._changed.set()

    async def until(self, enough: Callable[[Informer], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not enough(self.informer):
                self._changed.clear()
                await self._changed.wait()

    def names(self) -> set[str]:
        return {obj["metadata"]["name"] for obj in self.informer.items()}


async def test_what_is_written_is_read_listed_and_deleted(home: Home, make_pod: MakePod) -> None:
    made = await home.client.create(POD, make_pod("a", app="x"))
    assert key_of(made) == Key("default", "a")
    assert await home.client.get(POD, "default", "a") == made
    await home.client.create(POD, make_pod("b", app="y"))
    listed = await home.client.list(POD, "default", label_selector="app=x")
    assert listed.items == [made]
    assert (await home.client.list(POD, field_selector="metadata.name=b")).items[0]["kind"] == "Pod"
    await home.client.delete(POD, "default", "a", uid=made["metadata"]["uid"], grace_period_s=0)
    with pytest.raises(NotFound, match='pods "a" not found'):
        await home.client.get(POD, "default", "a")


async def test_every_kind_of_patch_and_subresource_arrives(home: Home, make_pod: MakePod) -> None:
    await home.client.create(POD, make_pod("a", app="x"))
    merged = await home.client.patch(POD, "default", "a", {"metadata": {"labels": {"app": None, "b": "1"}}})
    assert merged["metadata"]["labels"] == {"b": "1"}
    patch = [{"op": "replace", "path": "/metadata/labels/b", "value": "2"}]
    jsoned = await home.client.patch(POD, "default", "a", patch, patch_type="json")
    assert jsoned["metadata"]["labels"] == {"b": "2"}
    containers = {"spec": {"containers": [{"name": "app", "image": "other"}]}}
    strategic = await home.client.patch(POD, "default", "a", containers, patch_type="strategic")
    assert [each["image"] for each in strategic["spec"]["containers"]] == ["other"]
    updated = await home.client.update(POD, {**strategic, "status": {"phase": "Running"}}, subresource="status")
    assert updated["status"] == {"phase": "Running"}


async def test_a_scale_is_written_through_its_subresource(home: Home) -> None:
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    meta = {"name": "d", "namespace": "default"}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    await home.client.create(DEPLOYMENT, {"metadata": meta, "spec": spec})
    scaled = await home.client.patch(DEPLOYMENT, "default", "d", {"spec": {"replicas": 3}}, subresource="scale")
    assert scaled["kind"] == "Scale"
    assert (await home.client.get(DEPLOYMENT, "default", "d"))["spec"]["replicas"] == 3


async def test_refusals_have_their_classes(home: Home, make_pod: MakePod) -> None:
    made = await home.client.create(POD, make_pod("a"))
    with pytest.raises(AlreadyExists):
        await home.client.create(POD, make_pod("a"))
    await home.client.patch(POD, "default", "a", {"metadata": {"labels": {"b": "1"}}})
    with pytest.raises(Conflict):
        await home.client.update(POD, {**made, "metadata": {**made["metadata"], "labels": {"c": "1"}}})
    with pytest.raises(Conflict):
        await home.client.delete(POD, "default", "a", uid="another")
    with pytest.raises(Invalid) as caught:
        await home.client.create(CONFIG_MAP, {"metadata": {"name": "No Name", "namespace": "default"}})
    assert caught.value.details["causes"][0]["field"] == "metadata.name"
    with pytest.raises(NotFound):
        await home.client.list(Kind("no.such", "v1", "Group", "groups"))
    with pytest.raises(Invalid, match="selector"):
        await home.client.list(POD, label_selector="!!")


async def test_a_watch_from_a_version_that_is_no_longer_kept_is_expired(home: Home) -> None:
    for number in range(600):
        await home.direct.create(CONFIG_MAP, {"metadata": {"name": f"c{number}", "namespace": "default"}})
    with pytest.raises(Expired):
        async for _ in home.client.watch(CONFIG_MAP, "default", resource_version="1"):
            pytest.fail("nothing can be told from there")


async def test_an_informer_follows_changes_and_its_selector(home: Home, make_pod: MakePod) -> None:
    await home.direct.create(POD, make_pod("a", app="x"))
    followed = Followed(home.client, label_selector="app=x")
    await followed.informer.start()
    assert followed.names() == {"a"}
    await home.direct.create(POD, make_pod("b", app="x"))
    await home.direct.create(POD, make_pod("other", app="y"))
    await home.direct.patch(POD, "default", "a", {"metadata": {"labels": {"app": "y"}}})
    await home.direct.delete(POD, "default", "b", grace_period_s=0)
    await home.direct.create(POD, make_pod("c", app="x"))
    await followed.until(lambda informer: informer.get("default", "c") is not None)
    assert followed.heard == [(None, "a"), (None, "b"), ("a", None), ("b", None), (None, "c")]
    await followed.informer.close()


async def test_an_informer_sees_large_objects_and_many_of_them(home: Home) -> None:
    followed = Followed(home.client, CONFIG_MAP, namespace="default")
    await followed.informer.start()
    large = "ü" * 300_000
    for number in range(5):
        meta = {"name": f"c{number}", "namespace": "default"}
        await home.direct.create(CONFIG_MAP, {"metadata": meta, "data": {"large": large}})
    await followed.until(lambda informer: len(informer.items()) == 5)
    assert {obj["data"]["large"] for obj in followed.informer.items()} == {large}
    await followed.informer.close()


@pytest.mark.parametrize("home", ["link", "rest"], indirect=True)
async def test_an_informer_outlives_the_server(home: Home, make_pod: MakePod) -> None:
    for name in ("stays", "goes"):
        await home.direct.create(POD, make_pod(name))
    followed = Followed(home.client)
    await followed.informer.start()
    await home.stop()
    with pytest.raises(Unavailable):
        await home.client.get(POD, "default", "stays")
    home.carrier, carrier = "none", home.carrier
    await home.start()  # nobody can reach it yet
    await home.direct.delete(POD, "default", "goes", grace_period_s=0)
    await home.direct.create(POD, make_pod("comes"))
    assert home._store is not None
    home._store.close()
    home.carrier = carrier
    await restart(home)
    await followed.until(lambda informer: followed.names() == {"stays", "comes"})
    await home.direct.create(POD, make_pod("later"))
    await followed.until(lambda informer: "later" in followed.names())
    assert ("goes", None) in followed.heard
    assert followed.heard.count((None, "stays")) == 1
    await followed.informer.close()


async def restart(home: Home) -> None:
    client = home.client
    await home.start()
    home.client = client


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[tuple[RestClient, StoreClient]]:
    home = Home("rest", tmp_path)
    await home.start()
    await home.direct.create(NAMESPACE, {"metadata": {"name": "default"}})
    assert isinstance(home.client, RestClient)
    yield home.client, home.direct
    await home.client.close()
    await home.stop()


async def test_people_find_kinds_by_the_names_that_kubectl_knows(rest: tuple[RestClient, StoreClient]) -> None:
    client, _ = rest
    for word in ("deploy", "deployments", "Deployment", "deployments.apps", "deployment.v1.apps"):
        assert await client.resolve(word) == DEPLOYMENT
    assert await client.resolve("po") == POD
    assert await client.resolve("ns") == NAMESPACE
    assert await client.kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}) == DEPLOYMENT


async def test_a_table_has_the_columns_that_kubectl_shows(
    rest: tuple[RestClient, StoreClient], make_pod: MakePod
) -> None:
    client, direct = rest
    for name in ("a", "b"):
        await direct.create(POD, make_pod(name, app=name))
    table = await client.table(POD, "default")
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b"]
    one = await client.table(POD, "default", "a")
    assert [row["cells"][0] for row in one["rows"]] == ["a"]
    some = await client.table(POD, "default", label_selector="app=b")
    assert [row["cells"][0] for row in some["rows"]] == ["b"]


@pytest.mark.parametrize("name", ["", "..", "a/status", "../pods"])
async def test_a_name_never_becomes_the_path_of_something_else(
    name: str, rest: tuple[RestClient, StoreClient], make_pod: MakePod
) -> None:
    client, direct = rest
    await direct.create(POD, make_pod("a"))
    calls: list[Awaitable[Any]] = [
        client.delete(POD, "default", name),
        client.get(POD, "default", name),
        client.patch(POD, "default", name, {}),
        client.table(POD, "default", name),
    ]
    for call in calls:
        with pytest.raises(Invalid, match="is no name of a Pod"):
            await call
    assert len((await client.list(POD)).items) == 1


class Flood:
    """A client whose watch gives so many events at once, and then no more; a get never ends."""

    def __init__(self, events: int) -> None:
        self._events = events
        self.given = asyncio.Event()

    async def watch(self, kind: Kind, namespace: str | None = None, **_: Any) -> AsyncIterator[WatchEvent]:
        for number in range(self._events):
            yield WatchEvent("ADDED", {"metadata": {"name": str(number)}})
        self.given.set()
        await asyncio.Event().wait()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        await asyncio.Event().wait()
        return {}


async def test_a_watcher_with_a_full_backlog_hears_of_the_loss_after_it(tmp_path: Path) -> None:
    path = str(tmp_path / "link.sock")
    flood = Flood(WATCH_FRAMES_MAX + 2)
    server = LinkServer(flood, path)  # type: ignore[arg-type]
    await server.start()
    client = LinkClient(path)
    events = client.watch(POD, resource_version="1")
    seen = [await anext(events)]
    other = asyncio.create_task(client.get(POD, "default", "a"))
    await flood.given.wait()
    await server.close()
    with pytest.raises(Unavailable):
        await other  # the loss is known by now, and nothing of the backlog was read
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(Unavailable):
            async for event in events:
                seen.append(event)
    assert [event.object["metadata"]["name"] for event in seen] == [str(n) for n in range(WATCH_FRAMES_MAX + 2)]
    await client.close()
