"""Webhooks over the embedded API server, which here knows the kinds of webhook configurations too."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from controller.settings import Settings
from controller.webhook.certificates import DAY_S
from controller.webhook.trust import CONFIGURATIONS
from controller.webhook.webhook import Webhook
from swell.api.crds import definitions
from swell.api.kinds import MUTATING_WEBHOOK, SECRET, VALIDATING_WEBHOOK, Kind
from swell.api.meta import Obj
from swell.config.admission import LiveSettings
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.runtime.tasks import Daemons
from swell.testing.clock import ManualClock, settle
from swell.testing.peers import free_port

SYSTEM = "swell-system"
# Callers check certificates by the real time: that is where the virtual one must lead to.
START_S = time.time() - 62 * DAY_S


def definition(kind: Kind) -> Obj:
    """A kind of any content, in place of the built-in one."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": kind.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": str(kind)},
        "spec": {"group": kind.group, "scope": "Cluster", "names": names, "versions": [version]},
    }


class Cluster:
    """An API server, and controllers' webhooks over it in virtual time."""

    def __init__(self) -> None:
        self.server = ApiServer(open_store(":memory:"))
        kinds = (definition(MUTATING_WEBHOOK), definition(VALIDATING_WEBHOOK))
        bootstrap(self.server, [*definitions(), *kinds], (SYSTEM,))
        self.kube = StoreClient(self.server)
        self.clock = ManualClock(wall_s=START_S)
        self.live = LiveSettings(SYSTEM)
        self._running: dict[Webhook, Daemons] = {}

    async def install(self) -> None:
        """The webhook configurations as manifests have them: they trust nobody yet."""
        for name, kind in CONFIGURATIONS.items():
            webhook = {"name": name, "clientConfig": {"service": {"name": "webhook", "namespace": SYSTEM}}}
            await self.kube.create(kind, {"metadata": {"name": name}, "webhooks": [webhook]})

    async def start(self) -> Webhook:
        """A controller's webhook, once it serves."""
        webhook = Webhook(self.kube, Settings(webhook_port=free_port()), self.live, self.clock)
        daemons = Daemons()
        self._running[webhook] = daemons
        await self.advance(webhook.start(daemons))
        return webhook

    async def advance(self, work: Awaitable[Any]) -> None:
        """Let time pass, in small steps, until `work` is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.clock.pass_time(0.01, step_s=0.01)
        task.result()

    async def secret(self) -> Obj:
        return await self.kube.get(SECRET, SYSTEM, "swell-webhook-certs")

    async def trusted(self) -> set[bytes]:
        """What the webhook configurations have for caBundle."""
        await settle()
        found = [await self.kube.get(kind, None, name) for name, kind in CONFIGURATIONS.items()]
        return {base64.b64decode(each["webhooks"][0]["clientConfig"].get("caBundle", "")) for each in found}

    async def stop(self, webhook: Webhook) -> None:
        daemons = self._running.pop(webhook)
        await daemons.close()
        await self.advance(webhook.close())

    async def close(self) -> None:
        for webhook in list(self._running):
            await self.stop(webhook)


class Caller:
    """An API server that asks a webhook; `session` keeps connections."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def post(self, port: int, path: str, body: bytes | Obj, authorities: bytes) -> tuple[int, Any]:
        """Status and answer. Raises when `authorities` do not vouch for the webhook."""
        context = ssl.create_default_context(cadata=authorities.decode())
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        url = f"https://127.0.0.1:{port}{path}"
        name = f"webhook.{SYSTEM}.svc"
        async with self.session.post(url, data=sent, ssl=context, server_hostname=name) as response:
            answer = await response.read()
            return response.status, orjson.loads(answer) if response.status == 200 else answer.decode()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = Cluster()
    await cluster.install()
    yield cluster
    await cluster.close()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield Caller(session)


@pytest.fixture
def review() -> Callable[..., Obj]:
    def make(obj: Obj, operation: str = "CREATE", **request: Any) -> Obj:
        stock = {"uid": "u-1", "operation": operation, "object": obj, "userInfo": {"username": "alice"}}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {**stock, **request}}

    return make
