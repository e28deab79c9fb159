"""The autoscaler's documents, from wherever the command runs: asked directly on one machine, else by the API server."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp

from swell.api.buckets import Share, bucket_of
from swell.api.kinds import CONFIG_MAP, LEASE
from swell.config import leader_election
from swell.kube.errors import KubeError, NotFound
from swell.kube.rest import RestClient
from swell.local import cluster
from swell.runtime.errors import SwellError

ANSWER_TIMEOUT_S: Final = 5.0
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
        return of_owners(client, os.environ.get("SYSTEM_NAMESPACE") or SYSTEM_NAMESPACE)


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


def of_owners(client: RestClient, system_namespace: str) -> Ask:
    """Of the autoscalers that lead in a cluster, through its API server: the one whose revision it is about, or all."""

    async def ask(path: str) -> Any:
        total = await _buckets(client, system_namespace)
        match path.partition("?")[0].strip("/").split("/"):
            case ["why", namespace, revision]:
                share = Share(bucket_of(namespace, revision, total), total)
                return await _ask_owner(client, system_namespace, share, path)
        found: dict[str, Any] = {}
        for ordinal in range(total):
            found |= await _ask_owner(client, system_namespace, Share(ordinal, total), path)
        return found

    return ask


async def _buckets(client: RestClient, system_namespace: str) -> int:
    try:
        config = await client.get(CONFIG_MAP, system_namespace, leader_election.NAME)
    except NotFound:
        return 1
    except KubeError as exc:
        raise NoAutoscaler(f"which autoscaler leads cannot be read: {exc.message}; see `swell status`") from exc
    return leader_election.parse(config.get("data") or {}).buckets


async def _ask_owner(client: RestClient, system_namespace: str, share: Share, path: str) -> Any:
    try:
        lease = await client.get(LEASE, system_namespace, share.name)
        leader = (lease.get("spec") or {}).get("holderIdentity")
    except KubeError as exc:
        raise NoAutoscaler(f"which autoscaler leads cannot be read: {exc.message}; see `swell status`") from exc
    if not leader:
        raise NoAutoscaler("no autoscaler leads now; see `swell status`")
    try:
        return await client.through_pod(system_namespace, leader, AUTOSCALER_PORT + share.ordinal, path)
    except NotFound as exc:
        raise NoDocument(exc.message) from exc
    except KubeError as exc:
        raise NoAutoscaler(f"the autoscaler {leader} cannot be asked: {exc.message}; see `swell status`") from exc
