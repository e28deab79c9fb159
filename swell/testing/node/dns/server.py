"""The cluster's DNS on a UDP port: follows Services and EndpointSlices, answers from what it has seen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Final, cast

from swell.api.kinds import CORE_SERVICE, ENDPOINT_SLICE
from swell.api.meta import Obj
from swell.kube.client import KubeClient
from swell.kube.informer import Informer
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.testing.node.dns import records
from swell.testing.node.dns.message import CNAME, Code, Malformed, Query, Record, make_answer, parse_query

PORT: Final = 53
SERVICE_NAME: Final = "kubernetes.io/service-name"

logger = log.get(__name__)


class Zone:
    """The names of one cluster."""

    def __init__(self, kube: KubeClient, clock: Clock) -> None:
        self._services = Informer(kube, CORE_SERVICE, clock=clock)
        self._slices = Informer(kube, ENDPOINT_SLICE, clock=clock)
        self._slices.add_index("service", _services_of)

    async def start(self) -> None:
        """Returns once all that there is now is known."""
        await self._services.start()
        await self._slices.start()

    async def close(self) -> None:
        await self._services.close()
        await self._slices.close()

    def answer(self, query: Query) -> bytes:
        if not query.standard:
            return make_answer(query, Code.NOT_IMPLEMENTED)
        code, found = records.answer(query.question, self._services.get, self._slices_of)
        return make_answer(query, code, _shuffled(found))

    def _slices_of(self, namespace: str, service: str) -> Sequence[Obj]:
        return self._slices.indexed("service", f"{namespace}/{service}")


class Endpoint(asyncio.DatagramProtocol):
    """Answers what comes in; what is no query is dropped."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What asyncio gives here is no instance of its own DatagramTransport before Python 3.12.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str | int, ...]) -> None:
        assert self._transport is not None
        try:
            query = parse_query(data)
        except Malformed as exc:
            logger.warning("no DNS query", sender=address, error=exc)
            return
        self._transport.sendto(self._zone.answer(query), address)


async def serve(kube: KubeClient, clock: Clock, host: str, stop: asyncio.Event, port: int = PORT) -> None:
    """Answer until `stop`; nobody hears of us before all names are known."""
    zone = Zone(kube, clock)
    try:
        await zone.start()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Endpoint(zone), local_addr=(host, port))
        try:
            await stop.wait()
        finally:
            transport.close()
    finally:
        await zone.close()


def _services_of(endpoint_slice: Obj) -> Iterator[str]:
    metadata = endpoint_slice["metadata"]
    name = (metadata.get("labels") or {}).get(SERVICE_NAME)
    if name:
        yield f"{metadata['namespace']}/{name}"


def _shuffled(found: tuple[Record, ...]) -> tuple[Record, ...]:
    """Addresses in another order each time, so that who takes the first does not always take the same."""
    aliases = [record for record in found if record.type == CNAME]
    addresses = [record for record in found if record.type != CNAME]
    random.shuffle(addresses)
    return (*aliases, *addresses)
