"""Where activators find the owner of a bucket: an EndpointSlice of the autoscaler's Service, with the owner's address.

The Service has no selector, because pods that stand by are ready too but must not be reported to. It has a port for
each bucket, and each bucket has an EndpointSlice with that port.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from swell.api.kinds import ENDPOINT_SLICE
from swell.api.meta import Key, Obj
from swell.kube.apply import ensure
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.errors import KubeError
from swell.kube.informer import Informer
from swell.runtime import log
from swell.runtime.clock import Clock

NAME: Final = "autoscaler"
WITHDRAW_S: Final = 1.0

logger = log.get(__name__)


class Address:
    """Keeps the EndpointSlice right from `start` until `close`, whoever changes or deletes it."""

    def __init__(self, kube: KubeClient, clock: Clock, namespace: str, pod_ip: str, bucket: int) -> None:
        self._kube = kube
        self._key = Key(namespace, slice_name(bucket))
        self._port_name = port_name(bucket)
        self._ip = pod_ip
        self._wanted: Obj = {}
        self._slices = Informer(
            kube, ENDPOINT_SLICE, namespace=namespace, field_selector=f"metadata.name={self._key.name}", clock=clock
        )
        self._controller = Controller("address", self._reconcile, clock=clock, workers=1)
        self._slices.add_handler(lambda old, new: self._controller.enqueue(self._key))
        self._task: asyncio.Task[None] | None = None

    async def start(self, port: int) -> None:
        """From now on activators are sent to us; waits for the server to say what there is."""
        self._wanted = make_slice(self._key, self._ip, self._port_name, port)
        await self._slices.start()
        self._controller.enqueue(self._key)
        self._task = asyncio.create_task(self._controller.run(), name="address")

    async def close(self) -> None:
        """Nobody is sent to us any more. What cannot be written in time is overwritten by whoever leads next."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._withdraw()
        await self._slices.close()

    async def _reconcile(self, key: Key) -> None:
        await ensure(self._kube, ENDPOINT_SLICE, self._wanted, self._slices.get(*key))

    async def _withdraw(self) -> None:
        seen = self._slices.get(*self._key)
        if seen is None or _addresses(seen) != [self._ip]:
            return
        with contextlib.suppress(KubeError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_S):
                await self._kube.update(ENDPOINT_SLICE, {**seen, "endpoints": []})
                logger.info("activators are not sent here any more", address=self._ip)


def slice_name(bucket: int) -> str:
    """The EndpointSlice of the owner of bucket `bucket`, from 0."""
    return f"{NAME}-{bucket:02d}" if bucket else NAME


def port_name(bucket: int) -> str:
    """Of the Service and its EndpointSlice: kube-proxy goes by the port's name."""
    return f"bucket-{bucket:02d}" if bucket else "websocket"


def make_slice(key: Key, ip: str, name: str, port: int) -> Obj:
    """The EndpointSlice that sends all who ask for the Service's port of this name to `ip`:`port`."""
    return {
        "apiVersion": ENDPOINT_SLICE.api_version,
        "kind": ENDPOINT_SLICE.kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {
                "kubernetes.io/service-name": NAME,
                "endpointslice.kubernetes.io/managed-by": "autoscaler.swell.dev",
                "app.kubernetes.io/part-of": "swell",
            },
        },
        "addressType": "IPv6" if ":" in ip else "IPv4",
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }


def _addresses(seen: Obj) -> list[str]:
    return [address for endpoint in seen.get("endpoints") or () for address in endpoint["addresses"]]
