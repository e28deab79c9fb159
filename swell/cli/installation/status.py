"""`swell status`: how the installation of a cluster is."""

from __future__ import annotations

from swell.api import kinds
from swell.api.meta import Obj
from swell.cli.context import connect
from swell.cli.installation import cluster, refusals
from swell.cli.installation.render import GATEWAY, PART_OF, SELECTOR, SYSTEM_NAMESPACE
from swell.cli.installation.report import ELECTED, Snapshot, report
from swell.config import gc
from swell.kube.errors import Forbidden, KubeError, NotFound
from swell.kube.rest import RestClient


async def status(kubeconfig: str | None) -> int:
    """Print it; the exit code is 1 when something is wrong, or nothing is installed."""
    async with connect(kubeconfig) as client:
        await cluster.require_kubernetes(client)
        seen = await snapshot(client)
    if not (seen.definitions or seen.deployments):
        print("Swell is not installed in this cluster: swell install")
        return 1
    found = report(seen)
    for line in found.lines:
        print(line)
    for problem in found.problems:
        print(f"problem: {problem}")
    return 1 if found.problems else 0


async def snapshot(client: RestClient) -> Snapshot:
    """All that is looked at; raises a `KubeError` where it may not be."""
    definitions = await cluster.items(client, kinds.CUSTOM_RESOURCE_DEFINITION)
    leases = {name: await cluster.get(client, kinds.LEASE, f"swell-{name}", SYSTEM_NAMESPACE) for name in ELECTED}
    webhooks = [
        each
        for kind in (kinds.MUTATING_WEBHOOK, kinds.VALIDATING_WEBHOOK)
        for each in await cluster.items(client, kind, selector=SELECTOR)
    ]
    return Snapshot(
        definitions=[each for each in definitions if refusals.is_ours(each)],
        deployments=await cluster.items(client, kinds.DEPLOYMENT, SYSTEM_NAMESPACE),
        pods=await cluster.items(client, kinds.POD, SYSTEM_NAMESPACE),
        leases={name: lease for name, lease in leases.items() if lease is not None},
        webhooks=webhooks,
        webhook_fault=await _webhook_fault(client),
        gateway=await cluster.get(client, kinds.CORE_SERVICE, GATEWAY, SYSTEM_NAMESPACE),
        services=await cluster.items(client, kinds.SERVICE),
        revisions=await cluster.items(client, kinds.REVISION),
    )


async def _webhook_fault(client: RestClient) -> str:
    """Let the API server ask the webhook about a change that is none; "" if it answered, or may not be asked."""
    probe: Obj = {"metadata": {"name": gc.NAME, "namespace": SYSTEM_NAMESPACE, "labels": {PART_OF: "swell"}}}
    try:
        await client.apply(kinds.CONFIG_MAP, probe, manager="swell-status", dry_run=True)
    except (Forbidden, NotFound):
        return ""
    except KubeError as exc:
        return exc.message
    return ""
