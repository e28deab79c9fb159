"""`swell install`: look whether it may be done, write the objects, wait until the programs run."""

from __future__ import annotations

import asyncio
from typing import Final

import yaml

from swell.api import kinds
from swell.api.meta import Obj
from swell.cli.context import connect
from swell.cli.installation import cluster, manifests, refusals, rights
from swell.cli.installation.programs import Program, programs
from swell.cli.installation.render import GATEWAY, SYSTEM_NAMESPACE, Options, keeping, kind_of, remembered, render
from swell.cli.installation.report import addresses
from swell.config import domain
from swell.kube.errors import Unavailable
from swell.kube.rest import RestClient
from swell.runtime.errors import SwellError

LOOK_S: Final = 1.0
"""Between two looks at the programs."""


class NotAvailable(SwellError):
    """The programs do not run in time; says what keeps them."""


async def install(options: Options, kubeconfig: str | None, *, dry_run: bool, wait_s: float | None) -> int:
    """Install, or upgrade what is there. With `dry_run` print the objects and ask no cluster."""
    options.check()
    if dry_run:
        print(to_yaml(_objects(options)))
        return 0
    async with connect(kubeconfig) as client:
        objects = await prepare(client, options)
        await cluster.open_config_maps(client)
        await cluster.write(client, objects)
        print(f"swell {cluster.version()} is written to namespace {SYSTEM_NAMESPACE}: {len(objects)} objects")
        if wait_s is not None:
            await until_available(client, wait_s)
            await _show_next(client)
    return 0


async def prepare(client: RestClient, options: Options) -> list[Obj]:
    """The objects to write, once it is known that they may be written. Raises `SwellError`; changes nothing."""
    await cluster.require_kubernetes(client)
    asked = _objects(options)
    await _require_rights(client, asked)
    seen = await cluster.see(client)
    objects = _objects(options.after(remembered(seen.namespace)))
    await cluster.require_rights(client, rights.to_write(objects) - rights.to_write(asked))
    refusals.check(seen, objects, cluster.version())
    live = await cluster.config_maps(client, objects)
    return [
        keeping(obj, live[obj["metadata"]["name"]], options) if kind_of(obj) == kinds.CONFIG_MAP else obj
        for obj in objects
    ]


def _objects(options: Options) -> list[Obj]:
    return render(manifests.base(), manifests.disruption_budgets(), options)


async def _require_rights(client: RestClient, objects: list[Obj]) -> None:
    """To write all of it, and to pass rights on: by the right to do so, or by having them."""
    free, granted = rights.to_pass_on(objects)
    needed = rights.to_write(objects)
    if await cluster.missing_rights(client, free):
        needed |= granted
    await cluster.require_rights(client, needed)


async def until_available(client: RestClient, wait_s: float) -> None:
    """Returns once all programs run as they were just written. Tells of what changes; raises `NotAvailable`."""
    found: list[Program] = []
    try:
        async with asyncio.timeout(wait_s):
            while not (found and all(program.rolled_out for program in found) and await _admits(client)):
                await asyncio.sleep(LOOK_S if found else 0)
                before, found = found, await _look(client, found)
                for program in found:
                    if program not in before:
                        print(f"  {program}", flush=True)
    except TimeoutError:
        late = "\n".join(f"  {program}" for program in found if not program.rolled_out)
        late = late or "  the API server does not reach the webhook"
        raise NotAvailable(f"not all programs run after {wait_s:g} s:\n{late}\n{_HINT}") from None


_HINT: Final = f"`swell status` and `kubectl --namespace {SYSTEM_NAMESPACE} get events` tell more"


async def _look(client: RestClient, before: list[Program]) -> list[Program]:
    """An API server that is away for a moment has nothing new."""
    try:
        deployments = await client.list(kinds.DEPLOYMENT, SYSTEM_NAMESPACE)
        pods = await client.list(kinds.POD, SYSTEM_NAMESPACE)
    except Unavailable:
        return before
    return programs(deployments.items, pods.items)


async def _admits(client: RestClient) -> bool:
    """Whether the API server reaches the webhook: a program is ready before the network has heard of it."""
    try:
        await client.patch(kinds.CONFIG_MAP, SYSTEM_NAMESPACE, domain.NAME, {})
    except Unavailable:
        return False
    return True


async def _show_next(client: RestClient) -> None:
    """How to reach what is deployed now."""
    gateway = await client.get(kinds.CORE_SERVICE, SYSTEM_NAMESPACE, GATEWAY)
    print(f"gateway: {addresses(gateway)}")
    domains = (await client.get(kinds.CONFIG_MAP, SYSTEM_NAMESPACE, domain.NAME)).get("data") or {}
    if set(domains) <= {"_example"}:
        print("Services are reachable inside the cluster only: for others, give a domain (swell install --domain ...)")


def to_yaml(objects: list[Obj]) -> str:
    """The objects as documents of one file."""
    text: str = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text.rstrip("\n")


class _Dumper(yaml.SafeDumper):
    """Without anchors, and texts of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
