"""Reads and writes of an installation, on a cluster. What they mean is decided elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from importlib.metadata import version as version_of
from typing import Final

from swell.api import kinds
from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.cli.installation.refusals import Seen
from swell.cli.installation.render import KINDS, SYSTEM_NAMESPACE, kind_of
from swell.cli.installation.rights import MissingRights, Right, describe
from swell.kube.discovery import NoSuchKind
from swell.kube.errors import NotFound
from swell.kube.rest import RestClient
from swell.runtime.errors import SwellError

MANAGER: Final = "swell-install"
AT_ONCE_MAX: Final = 8
CONFIG_WEBHOOK: Final = "config.webhook.serving.knative.dev"


def version() -> str:
    """Of the Swell that runs this."""
    return version_of("swell")


async def require_kubernetes(client: RestClient) -> None:
    """Raises `SwellError` where a kind that is needed is not served, as on the one-machine cluster."""
    served = await client.discover()
    try:
        for kind in KINDS:
            served.of(kind.api_version, kind.kind)
    except NoSuchKind as exc:
        raise SwellError(
            f"{exc}: Swell is installed on a Kubernetes cluster. The cluster of `swell up` has all of it already"
        ) from exc


async def require_rights(client: RestClient, rights: Iterable[Right]) -> None:
    """Raises `MissingRights`, with all of those that are missing."""
    missing = await missing_rights(client, rights)
    if missing:
        raise MissingRights(f"nothing was changed, these rights are missing:\n{describe(missing)}")


async def missing_rights(client: RestClient, rights: Iterable[Right]) -> list[Right]:
    """Those of `rights` that the caller lacks, as the API server says."""
    asked = sorted(rights)
    gate = asyncio.Semaphore(AT_ONCE_MAX)

    async def allowed(right: Right) -> bool:
        async with gate:
            review = await client.create(kinds.SELF_SUBJECT_ACCESS_REVIEW, right.to_review())
        return bool(review["status"]["allowed"])

    answers = await asyncio.gather(*map(allowed, asked))
    return [right for right, yes in zip(asked, answers, strict=True) if not yes]


async def get(client: RestClient, kind: Kind, name: str, namespace: str | None = None) -> Obj | None:
    """The object, or None."""
    try:
        return await client.get(kind, namespace, name)
    except NotFound:
        return None


async def items(client: RestClient, kind: Kind, namespace: str | None = None, selector: str = "") -> Sequence[Obj]:
    """All objects of a kind; none where the kind is not there."""
    try:
        return (await client.list(kind, namespace, label_selector=selector)).items
    except NotFound:
        return ()


async def see(client: RestClient) -> Seen:
    """What is in the cluster that an installation must not harm."""
    return Seen(
        definitions=await items(client, kinds.CUSTOM_RESOURCE_DEFINITION),
        bindings=await items(client, kinds.CLUSTER_ROLE_BINDING),
        namespace=await get(client, kinds.NAMESPACE, SYSTEM_NAMESPACE),
    )


async def config_maps(client: RestClient, objects: Iterable[Obj]) -> dict[str, Obj | None]:
    """By name, as they are now, the ConfigMaps among the objects."""
    names = [obj["metadata"]["name"] for obj in objects if kind_of(obj) == kinds.CONFIG_MAP]
    return {name: await get(client, kinds.CONFIG_MAP, name, SYSTEM_NAMESPACE) for name in names}


async def write(client: RestClient, objects: Iterable[Obj]) -> None:
    """Make all objects so, in the given order."""
    for obj in objects:
        await client.apply(kind_of(obj), obj, manager=MANAGER)


async def open_config_maps(client: RestClient) -> None:
    """If nobody is there to judge ConfigMaps, take that webhook away: it would refuse what mends the installation."""
    controller = await get(client, kinds.DEPLOYMENT, "controller", SYSTEM_NAMESPACE)
    if ((controller or {}).get("status") or {}).get("readyReplicas"):
        return
    await delete(client, kinds.VALIDATING_WEBHOOK, CONFIG_WEBHOOK)


async def delete(
    client: RestClient, kind: Kind, name: str, namespace: str | None = None, *, grace_period_s: int | None = None
) -> None:
    """Have it gone; nothing to do where it is not there."""
    try:
        await client.delete(kind, namespace, name, grace_period_s=grace_period_s)
    except NotFound:
        return
