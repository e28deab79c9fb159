"""The embedded cluster's activator: the same program, given the store over a unix socket as its API."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvloop

from activator.program import Settings, run
from swell.kube.client import KubeClient
from swell.local import cluster
from swell.local.apiserver.link_client import LinkClient
from swell.local.cluster import ClusterConfig
from swell.local.ports import LOOPBACK
from swell.runtime import log
from swell.runtime.clock import SystemClock
from swell.runtime.shutdown import signals

# Longer than a control plane takes to start again.
LINK_PATIENCE_S = 5.0


def main(state: str) -> None:
    """Run until SIGTERM; `state` is the cluster's folder."""
    log.setup("activator", level=os.environ.get("SWELL_LOG_LEVEL") or "info")
    uvloop.run(_main(cluster.load(Path(state))))


async def _main(config: ClusterConfig) -> None:
    kube = await _client(config)
    try:
        await run(
            _settings(config),
            kube,
            SystemClock(),
            signals(),
            ready=lambda _port: Path(config.run, "activator.ready").touch(),
        )
    finally:
        await kube.close()


async def _client(config: ClusterConfig) -> KubeClient:
    if config.via_rest:
        from swell.kube.rest import RestClient

        return await RestClient.from_kubeconfig(str(config.kubeconfig))
    return LinkClient(str(config.link_socket), patience_s=LINK_PATIENCE_S)


def _settings(config: ClusterConfig) -> Settings:
    ours = {
        "SWELL_LISTEN_IP": LOOPBACK,
        "SWELL_GATEWAY_PORT": str(config.gateway_port),
        "SWELL_ADMIN_PORT": str(config.admin_port),
        "AUTOSCALER_URL": f"ws://{LOOPBACK}:{config.autoscaler_port}",
        "POD_NAME": "activator",
        "POD_IP": LOOPBACK,
    }
    return Settings.parse({**os.environ, **ours})


if __name__ == "__main__":
    main(sys.argv[1])
