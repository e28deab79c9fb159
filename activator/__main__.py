"""Run the front door on Kubernetes: settings from the environment, until SIGTERM.

`SWELL_KUBE` says where the API is: `in-cluster` (the default) or `kubeconfig:PATH`.
"""

from __future__ import annotations

import os
import sys

import uvloop

from activator.program import Settings, run
from swell.kube.client import KubeClient
from swell.runtime import log
from swell.runtime.clock import SystemClock
from swell.runtime.errors import SettingsError, SwellError
from swell.runtime.shutdown import signals


def main() -> int:
    """0 after a drain; 1 with a message when a setting is wrong or the start failed."""
    log.setup("activator", level=os.environ.get("SWELL_LOG_LEVEL") or "info")
    try:
        uvloop.run(_main())
    except SwellError as error:
        print(f"activator: {error}", file=sys.stderr)
        return 1
    return 0


async def _main() -> None:
    settings = Settings.parse(os.environ)
    stop = signals()
    kube = await _client(os.environ.get("SWELL_KUBE") or "in-cluster")
    try:
        await run(settings, kube, SystemClock(), stop)
    finally:
        await kube.close()


async def _client(where: str) -> KubeClient:
    from swell.kube.rest import RestClient

    kind, _, path = where.partition(":")
    if kind == "in-cluster" and not path:
        return await RestClient.in_cluster()
    if kind == "kubeconfig" and path:
        return await RestClient.from_kubeconfig(path)
    raise SettingsError("SWELL_KUBE", where, "in-cluster or kubeconfig:PATH")


if __name__ == "__main__":
    sys.exit(main())
