"""The cluster's DNS as a process: python -P -m swell.testing.node.dns KUBECONFIG ADDRESS"""

from __future__ import annotations

import asyncio
import sys

from swell.kube.rest import RestClient
from swell.runtime import log
from swell.runtime.clock import SystemClock
from swell.runtime.shutdown import signals
from swell.testing.node.dns.server import serve


async def run(kubeconfig: str, host: str) -> None:
    stop = signals()
    kube = await RestClient.from_kubeconfig(kubeconfig)
    try:
        await serve(kube, SystemClock(), host, stop)
    finally:
        await kube.close()


if __name__ == "__main__":
    log.setup("dns")
    asyncio.run(run(*sys.argv[1:]))
