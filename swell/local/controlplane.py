"""The control plane process of the embedded cluster: store and API, workloads, kubelet, controllers, autoscaler.

Wires them together; each part has its own package.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

import autoscaler.program
import controller.program
from swell.api.crds import definitions
from swell.api.kinds import CONFIG_MAP, POD_METRICS
from swell.kube.client import KubeClient
from swell.kube.informer import Informer
from swell.local import cluster
from swell.local.admission import Admission
from swell.local.apiserver.http import serve_https
from swell.local.apiserver.kubeconfig import write_kubeconfig
from swell.local.apiserver.link_server import LinkServer
from swell.local.apiserver.server import ApiServer, StoreClient, bootstrap
from swell.local.apiserver.store import open_store
from swell.local.bootstrap import NAMESPACES, SYSTEM_NAMESPACE, ensure_config_maps
from swell.local.cluster import ClusterConfig
from swell.local.host.client import HostClient
from swell.local.images import Images
from swell.local.kubelet.kubelet import Kubelet
from swell.local.kubelet.logs import PodLogs
from swell.local.ports import LOOPBACK, PortTaken
from swell.local.workloads import Workloads
from swell.runtime import log
from swell.runtime.clock import Clock, SystemClock
from swell.runtime.errors import SwellError
from swell.runtime.shutdown import signals
from swell.runtime.tasks import Daemons

logger = log.get("controlplane")


def main(state: str) -> int:
    """Run until SIGTERM; `state` is the cluster's folder. 1 with a message in the log for what a user can mend."""
    log.setup("control-plane", level=os.environ.get("SWELL_LOG_LEVEL") or "info")
    try:
        uvloop.run(_main(cluster.load(Path(state))))
    except SwellError as error:
        print(f"control-plane: {error}", file=sys.stderr)
        return 1
    return 0


async def _main(config: ClusterConfig) -> None:
    """Start bottom up: store, workloads and kubelet, the API, the programs. The exit stack takes it apart again.

    Nobody outside may read before the kubelet has looked after the pods: some may have died with the last one.
    """
    clock = SystemClock()
    stop = signals()
    async with AsyncExitStack() as stack:
        server, kube = await _open_api(config, clock, stack)
        host = HostClient(str(config.host_socket))
        await host.connect()
        stack.push_async_callback(host.close)
        logs = PodLogs(Path(config.state), clock)
        workloads = Workloads(kube, clock)
        await workloads.start()
        stack.push_async_callback(workloads.close)
        state = Path(config.state)
        kubelet = Kubelet(kube, host, Images(state), clock, state=state, logs=logs)
        await kubelet.start()
        stack.push_async_callback(kubelet.close)
        server.measured[POD_METRICS] = kubelet.usage
        await _serve_api(config, server, kube, logs, stack)
        daemons = Daemons()
        stack.push_async_callback(daemons.close)
        daemons.spawn(_fails(kubelet), "kubelet")
        await _run_programs(config, await _program_client(config, kube, stack), clock, stop, daemons)


async def _open_api(config: ClusterConfig, clock: Clock, stack: AsyncExitStack) -> tuple[ApiServer, StoreClient]:
    """The API server with our kinds, namespaces and ConfigMaps; admission follows the ConfigMaps."""
    store = open_store(config.database)
    stack.callback(store.close)
    admission = Admission()
    server = ApiServer(store, clock=clock, admit=admission)
    bootstrap(server, definitions(), NAMESPACES)
    kube = StoreClient(server)
    await ensure_config_maps(kube, config)
    maps = Informer(kube, CONFIG_MAP, namespace=SYSTEM_NAMESPACE, clock=clock)
    maps.add_handler(admission.on_config_map)
    await maps.start()
    stack.push_async_callback(maps.close)
    return server, kube


async def _serve_api(
    config: ClusterConfig, server: ApiServer, kube: StoreClient, logs: PodLogs, stack: AsyncExitStack
) -> None:
    """Let others in: the activator over a unix socket, kubectl over HTTPS."""
    link = LinkServer(kube, str(config.link_socket))
    await link.start()
    stack.push_async_callback(link.close)
    try:
        front = await serve_https(server, host=LOOPBACK, port=config.api_port, pki=config.pki, logs=logs)
    except OSError as exc:
        raise PortTaken(
            f"cannot listen on {LOOPBACK}:{config.api_port}, the port of the Kubernetes API: "
            f"{os.strerror(exc.errno or 0)}; stop the program that has it, or start `swell up` again: it takes another"
        ) from exc
    stack.push_async_callback(front.close)
    write_kubeconfig(config.kubeconfig, server=front.url, pki=config.pki)


async def _program_client(config: ClusterConfig, kube: StoreClient, stack: AsyncExitStack) -> KubeClient:
    """How controller and autoscaler reach the API: the store itself, or HTTPS as on Kubernetes."""
    if not config.via_rest:
        return kube
    from swell.kube.rest import RestClient

    client = await RestClient.from_kubeconfig(str(config.kubeconfig))
    stack.push_async_callback(client.close)
    return client


async def _run_programs(
    config: ClusterConfig, kube: KubeClient, clock: Clock, stop: asyncio.Event, daemons: Daemons
) -> None:
    """Run controller and autoscaler until `stop`. Raises what a background task died of."""
    waiting = {"controller", "autoscaler"}

    def ready(name: str) -> None:
        waiting.discard(name)
        if not waiting:
            logger.info("ready", api=config.api_port, autoscaler=config.autoscaler_port)
            Path(config.run, "control-plane.ready").touch()

    programs = [
        controller.program.run(controller.program.Settings(), kube, clock, stop, ready=lambda _: ready("controller")),
        autoscaler.program.run(
            autoscaler.program.Settings(listen_ip=LOOPBACK, port=config.autoscaler_port, ledger=str(config.ledger)),
            kube,
            clock,
            stop,
            ready=lambda _: ready("autoscaler"),
        ),
    ]
    running = asyncio.gather(*programs)
    try:
        await daemons.watch(running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _fails(kubelet: Kubelet) -> None:
    """Ends, with the reason, when the kubelet cannot go on: the host then starts this process anew."""
    raise await kubelet.wait_failed()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
