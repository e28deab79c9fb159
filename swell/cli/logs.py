"""`swell logs`: what the pods of a Service wrote."""

from __future__ import annotations

import asyncio
import sys

from swell.api.kinds import POD
from swell.api.labels import SERVICE as SERVICE_LABEL
from swell.cli.context import connect
from swell.kube.errors import KubeError
from swell.kube.rest import RestClient
from swell.runtime.errors import SwellError

QUEUE_PROXY = "queue-proxy"
SERVICE_WORDS = ("ksvc", "kservice", "service", "services.serving.knative.dev")


class NoPods(SwellError):
    """There is nothing that could have written something."""


class BadTarget(SwellError):
    """Neither a Service nor a pod was named."""


async def logs(
    name: str, namespace: str, kubeconfig: str | None, *, container: str | None, follow: bool, tail: int | None
) -> int:
    """Print the logs of a Service's pods, or of `pod/NAME`; returns the exit code.

    With several pods each line begins with the pod's name. Raises `NoPods`.
    """
    kind, slash, inside = name.rpartition("/")
    if slash and kind not in ("pod", "pods", *SERVICE_WORDS):
        raise BadTarget(f"{name}: say NAME or ksvc/NAME for a Service, pod/NAME for a pod")
    async with connect(kubeconfig) as client:
        pods = [inside] if kind in ("pod", "pods") else await _pods(client, namespace, inside)
        prefixed = len(pods) > 1
        copies = [
            _copy(client, namespace, pod, container, follow, tail, f"{pod}: " if prefixed else "") for pod in pods
        ]
        if follow:
            await asyncio.gather(*copies)
        else:
            for copy in copies:
                await copy
    return 0


async def _pods(client: RestClient, namespace: str, service: str) -> list[str]:
    listed = await client.list(POD, namespace, label_selector=f"{SERVICE_LABEL}={service}")
    if not listed.items:
        raise NoPods(
            f"Service {namespace}/{service} has no pods now: it does not exist, or it is at zero. "
            f"`swell get ksvc` shows which; a request starts a pod"
        )
    return sorted(pod["metadata"]["name"] for pod in listed.items)


async def _copy(
    client: RestClient, namespace: str, pod: str, container: str | None, follow: bool, tail: int | None, prefix: str
) -> None:
    chosen = container or await _app_container(client, namespace, pod)
    rest = b""
    async for chunk in client.logs(namespace, pod, container=chosen, follow=follow, tail=tail):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _print(prefix, line)
    if rest:
        _print(prefix, rest)


async def _app_container(client: RestClient, namespace: str, pod: str) -> str:
    found = await client.get(POD, namespace, pod)
    names = [container["name"] for container in found["spec"]["containers"]]
    apps = [name for name in names if name != QUEUE_PROXY]
    if not apps:
        raise KubeError(400, "BadRequest", f"pod {namespace}/{pod} has no container but {', '.join(names)}")
    return str(apps[0])


def _print(prefix: str, line: bytes) -> None:
    sys.stdout.write(prefix + line.decode(errors="replace") + "\n")
    sys.stdout.flush()
