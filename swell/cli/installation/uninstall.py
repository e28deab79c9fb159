"""`swell uninstall`: the Services first, while somebody still cleans up after them, then all that was installed."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from swell.api import kinds
from swell.api.kinds import Kind
from swell.api.labels import REVISION
from swell.api.meta import Obj
from swell.cli.context import connect
from swell.cli.installation import cluster, refusals, rights
from swell.cli.installation.render import SELECTOR, SYSTEM_NAMESPACE
from swell.kube.rest import RestClient
from swell.runtime.errors import SwellError

LOOK_S: Final = 0.5
SERVING: Final = (kinds.SERVICE, kinds.ROUTE, kinds.CONFIGURATION, kinds.REVISION, kinds.POD_AUTOSCALER)
WEBHOOKS: Final = (kinds.MUTATING_WEBHOOK, kinds.VALIDATING_WEBHOOK)
CLUSTER_WIDE: Final = (kinds.CLUSTER_ROLE_BINDING, kinds.CLUSTER_ROLE, kinds.CUSTOM_RESOURCE_DEFINITION)


class NotAgreed(SwellError):
    """Services would be lost, and nobody said that they may be."""


class StillThere(SwellError):
    """What was deleted is not gone in time; says what."""


async def uninstall(kubeconfig: str | None, *, yes: bool, timeout_s: float) -> int:
    """Remove all of it. Asks first when Services would be lost; raises `NotAgreed`, `StillThere`."""
    async with connect(kubeconfig) as client:
        await cluster.require_kubernetes(client)
        await cluster.require_rights(client, rights.to_remove())
        await _require_ours(client)
        if not await _anything(client):
            print("Swell is not installed in this cluster: nothing to remove")
            return 0
        services = await cluster.items(client, kinds.SERVICE)
        if services and not yes:
            _ask(services)
        await _remove_webhooks(client)
        await _remove_serving(client, timeout_s)
        await _remove_programs(client, timeout_s)
        await _remove_rest(client, timeout_s)
    print("Swell is removed")
    return 0


async def _require_ours(client: RestClient) -> None:
    """Another's definitions, and what is stored by them, are not ours to delete."""
    seen = await cluster.see(client)
    foreign = [
        each["metadata"]["name"]
        for each in seen.definitions
        if each["spec"]["group"] in refusals.GROUPS and not refusals.is_ours(each)
    ]
    if foreign:
        raise refusals.Refused(f"Swell did not make {', '.join(sorted(foreign))}: nothing was changed")


async def _anything(client: RestClient) -> bool:
    namespace = await cluster.get(client, kinds.NAMESPACE, SYSTEM_NAMESPACE)
    if namespace is not None and refusals.is_ours(namespace):
        return True
    return any([bool(await cluster.items(client, kind, selector=SELECTOR)) for kind in (*WEBHOOKS, *CLUSTER_WIDE)])


def _ask(services: Iterable[Obj]) -> None:
    """Raises `NotAgreed` unless a person says yes."""
    lost = told(services)
    if not sys.stdin.isatty():
        raise NotAgreed(f"{lost}: nothing was changed. To remove them too, say --yes")
    answer = input(f"{lost}. Remove them too? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise NotAgreed("nothing was changed")


def told(services: Iterable[Obj]) -> str:
    """How many Services would be lost, and where."""
    places = Counter(service["metadata"]["namespace"] for service in services)
    where = ", ".join(f"{count} in {namespace}" for namespace, count in sorted(places.items()))
    total = places.total()
    return f"{total} {'Service' if total == 1 else 'Services'} would be lost ({where})"


async def _remove_webhooks(client: RestClient) -> None:
    """First: nothing that is removed later may refuse what still has to be written."""
    for kind in WEBHOOKS:
        for each in await cluster.items(client, kind, selector=SELECTOR):
            await cluster.delete(client, kind, each["metadata"]["name"])


async def _remove_serving(client: RestClient, timeout_s: float) -> None:
    """All Services, Routes and Configurations; returns once all that they own is gone with them."""
    for kind in (kinds.SERVICE, kinds.ROUTE, kinds.CONFIGURATION):
        for each in await cluster.items(client, kind):
            if not each["metadata"].get("ownerReferences"):
                meta = each["metadata"]
                await cluster.delete(client, kind, meta["name"], meta["namespace"])

    async def left() -> list[str]:
        found = [_name(kind, each) for kind in SERVING for each in await cluster.items(client, kind)]
        found += [
            _name(kinds.DEPLOYMENT, each) for each in await cluster.items(client, kinds.DEPLOYMENT, None, REVISION)
        ]
        return found

    await _until_gone(left, timeout_s)


async def _remove_programs(client: RestClient, timeout_s: float) -> None:
    """Before their namespace: that would be looked after again only when the longest grace of a pod is half over."""
    for each in await cluster.items(client, kinds.DEPLOYMENT, SYSTEM_NAMESPACE, SELECTOR):
        await cluster.delete(client, kinds.DEPLOYMENT, each["metadata"]["name"], SYSTEM_NAMESPACE)

    async def left() -> list[str]:
        pods = await cluster.items(client, kinds.POD, SYSTEM_NAMESPACE, SELECTOR)
        for pod in pods:
            # There is no Service left that a front door could finish a request of.
            await cluster.delete(client, kinds.POD, pod["metadata"]["name"], SYSTEM_NAMESPACE, grace_period_s=1)
        return [_name(kinds.POD, pod) for pod in pods]

    await _until_gone(left, timeout_s)


async def _remove_rest(client: RestClient, timeout_s: float) -> None:
    """The namespace, then what the whole cluster has of us."""
    namespace = await cluster.get(client, kinds.NAMESPACE, SYSTEM_NAMESPACE)
    if namespace is not None and refusals.is_ours(namespace):
        await cluster.delete(client, kinds.NAMESPACE, SYSTEM_NAMESPACE)
    for kind in CLUSTER_WIDE:
        for each in await _ours(client, kind):
            await cluster.delete(client, kind, each["metadata"]["name"])

    async def left() -> list[str]:
        found = [_name(kind, each) for kind in CLUSTER_WIDE for each in await _ours(client, kind)]
        going = await cluster.get(client, kinds.NAMESPACE, SYSTEM_NAMESPACE)
        return found + ([_name(kinds.NAMESPACE, going)] if going is not None and refusals.is_ours(going) else [])

    await _until_gone(left, timeout_s)


async def _ours(client: RestClient, kind: Kind) -> list[Obj]:
    return [each for each in await cluster.items(client, kind) if refusals.is_ours(each)]


async def _until_gone(left: Callable[[], Awaitable[list[str]]], timeout_s: float) -> None:
    found: list[str] = []
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                found = await left()
                if not found:
                    return
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        some = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise StillThere(f"still there after {timeout_s:g} s: {some}. Run `swell uninstall` again") from None


def _name(kind: Kind, obj: Obj) -> str:
    meta = obj["metadata"]
    return f"{kind} {meta['namespace']}/{meta['name']}" if meta.get("namespace") else f"{kind} {meta['name']}"
