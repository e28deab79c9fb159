"""A kubelet with a real host below it and a real API server above it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swell.api.kinds import EVENT, POD
from swell.api.meta import Obj
from swell.kube.errors import NotFound
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.local.host.client import HostClient
from swell.local.images import Images
from swell.local.kubelet.kubelet import Kubelet
from swell.local.kubelet.podspec import QUEUE_PROXY_IMAGE, QUEUE_PROXY_MODULE
from swell.runtime.clock import SystemClock
from swell.testing.hosts import RunningHost, running_host

# Answers on the pod's address once the app listens; leaves 0.2 s after it was asked to.
STAND_IN = """
import os, signal, socket, sys, time
def main():
    print("env", sorted(os.environ.items()))
    if os.environ.get("FAIL"):
        return 4
    server = socket.create_server((os.environ["SERVING_POD_IP"], 8012))
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), os._exit(0)))
    while True:
        connection, _ = server.accept()
        head = connection.recv(65536)
        print("asked", head)
        try:
            socket.create_connection(("127.0.0.1", int(os.environ["USER_PORT"]))).close()
            status = b"200 OK"
        except OSError:
            status = b"503 Service Unavailable"
        connection.sendall(b"HTTP/1.1 " + status + b"\\r\\nContent-Length: 0\\r\\n\\r\\n")
        connection.close()
"""
APP = f"""{sys.executable} -c "
import http.server, os
print('listening on', os.environ['PORT'], flush=True)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()
" """


@dataclass
class Node:
    """The machine of one test."""

    state: Path
    host: RunningHost
    kube: StoreClient
    images: Images
    kubelet: Kubelet
    client: HostClient

    async def create(self, name: str, *containers: Obj, **spec: Any) -> Obj:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name[:63]}},
            "spec": {"containers": list(containers), **spec},
        }
        return await self.kube.create(POD, pod)

    async def until(self, name: str, seen: Callable[[Obj], object]) -> Obj:
        """The pod, once `seen` says so."""
        listed = await self.kube.list(POD, "default", field_selector=f"metadata.name={name}")
        last = next(iter(listed.items), {})
        if last and seen(last):
            return last
        watch = self.kube.watch(
            POD, "default", resource_version=listed.resource_version, field_selector=f"metadata.name={name}"
        )
        try:
            async with asyncio.timeout(20):
                async for event in watch:
                    last = event.object
                    if event.type != "DELETED" and seen(last):
                        return last
        except TimeoutError:
            raise AssertionError(f"{name} never came to it: {last}") from None
        finally:
            await watch.aclose()
        raise AssertionError("the watch ended")

    async def until_gone(self, name: str) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.kube.get(POD, "default", name)
                except NotFound:
                    return
                await asyncio.sleep(0.02)

    async def delete(self, name: str, **options: Any) -> None:
        await self.kube.delete(POD, "default", name, **options)

    async def restart(self) -> None:
        """A new kubelet takes over, as after a kill of the control plane."""
        await self.kubelet.close()
        await self.client.close()
        await self.begin()

    async def begin(self) -> None:
        self.client = await self.host.client()
        self.kubelet = Kubelet(self.kube, self.client, self.images, SystemClock(), state=self.state)
        await self.kubelet.start()

    async def events(self, name: str) -> set[str]:
        listed = await self.kube.list(EVENT, "default", field_selector=f"involvedObject.name={name}")
        return {event["reason"] for event in listed.items}


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own folders are too long for a socket's name.
    with tempfile.TemporaryDirectory(prefix="swell-node-") as name:
        yield Path(name)


@pytest.fixture
async def node(folder: Path) -> AsyncIterator[Node]:
    (folder / "stand_in.py").write_text(STAND_IN)
    server = ApiServer(open_store(":memory:"))
    bootstrap(server, (), ["default"])
    async with running_host(folder, {QUEUE_PROXY_MODULE: "stand_in"}, preload=[QUEUE_PROXY_MODULE]) as (host, client):
        images = Images(folder)
        images.add("app", command=APP)
        kube = StoreClient(server)
        kubelet = Kubelet(kube, client, images, SystemClock(), state=folder)
        node = Node(folder, host, kube, images, kubelet, client)
        await kubelet.start()
        try:
            yield node
        finally:
            await node.kubelet.close()
            await node.client.close()


@pytest.fixture
def queue_proxy() -> Obj:
    """As the controller makes it, as far as it matters here."""
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    return {
        "name": "queue-proxy",
        "image": QUEUE_PROXY_IMAGE,
        "ports": [{"name": "queue-port", "containerPort": 8012}],
        "env": [
            {"name": "SERVING_POD_IP", "valueFrom": field},
            {"name": "USER_PORT", "value": "8080"},
            {"name": "SERVING_READINESS_PROBE", "value": '{"tcpSocket":{"host":"127.0.0.1","port":8080}}'},
        ],
        "readinessProbe": {
            "httpGet": {"port": 8012, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}]},
        },
    }
