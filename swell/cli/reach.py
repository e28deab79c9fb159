"""The autoscaler's documents, from wherever the command runs: asked directly on one machine, else by the API server."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp

from swell.api.kinds import LEASE
from swell.kube.errors import KubeError, NotFound
from swell.kube.rest import RestClient
from swell.local import cluster
from swell.runtime.errors import SwellError

ANSWER_TIMEOUT_S: Final = 5.0
LEASE_NAME: Final = "swell-autoscaler"
AUTOSCALER_PORT: Final = 8080
SYSTEM_NAMESPACE: Final = "swell-system"

Ask = Callable[[str], Awaitable[Any]]
"""The document at a path of the autoscaler's port. Raises `NoAutoscaler`, or `NoDocument`."""


class NoAutoscaler(SwellError):
    """No autoscaler can be asked."""


class NoDocument(SwellError):
    """The autoscaler has no such document."""


def ask_of(client: RestClient, kubeconfig: Path) -> Ask:
    """How to ask the autoscaler of the cluster with this kubeconfig."""
    try:
        return direct(cluster.load(kubeconfig.parent).autoscaler_url)
    except cluster.NoCluster:
        return of_leader(client, os.environ.get("SYSTEM_NAMESPACE") or SYSTEM_NAMESPACE)


def direct(url: str) -> Ask:
    """Of the autoscaler that answers there, as the embedded cluster's does."""

    async def ask(path: str) -> Any:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession() as session, session.get(url + path, timeout=timeout) as answer:
                text = await answer.text()
                if answer.status == 200:
                    return json.loads(text)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise NoAutoscaler(
                f"the autoscaler at {url} does not answer ({exc or type(exc).__name__}); is `swell up` still running?"
            ) from exc
        raise NoDocument(text.strip())

    return ask


def of_leader(client: RestClient, system_namespace: str) -> Ask:
    """Of the autoscaler that leads in a cluster, through its API server."""

    async def ask(path: str) -> Any:
        try:
            lease = await client.get(LEASE, system_namespace, LEASE_NAME)
            leader = (lease.get("spec") or {}).get("holderIdentity")
        except KubeError as exc:
            raise NoAutoscaler(f"which autoscaler leads cannot be read: {exc.message}; see `swell status`") from exc
        if not leader:
            raise NoAutoscaler("no autoscaler leads now; see `swell status`")
        try:
            return await client.through_pod(system_namespace, leader, AUTOSCALER_PORT, path)
        except NotFound as exc:
            raise NoDocument(exc.message) from exc
        except KubeError as exc:
            raise NoAutoscaler(f"the autoscaler {leader} cannot be asked: {exc.message}; see `swell status`") from exc

    return ask
