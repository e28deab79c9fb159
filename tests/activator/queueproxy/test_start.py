"""A queue-proxy as a process: how it starts, by exec or by fork, and how it fails to. Spec dataplane C72."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from swell.testing.peers import App, call, free_port
from swell.testing.processes import rss_mb
from swell.testing.sidecar import environment, sidecar

TCP = json.dumps({"tcpSocket": {"port": 0}})

# A parent that has imported everything, and forks the queue-proxy as a warm process would.
FORK = """
import os, sys
import activator.queueproxy.__main__ as queueproxy
import threading
assert threading.active_count() == 1
child = os.fork()
if child == 0:
    os._exit(queueproxy.main())
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(**env: str) -> subprocess.CompletedProcess[str]:
    """A queue-proxy that is to fail."""
    wanted = environment(free_port(), "127.0.0.1") | env
    settings = {key: value for key, value in wanted.items() if value != "unset"}
    command = [sys.executable, "-m", "activator.queueproxy"]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=30)


def test_case_72_without_a_container_concurrency_it_exits_with_1_and_says_why() -> None:
    ended = run(CONTAINER_CONCURRENCY="unset")
    assert ended.returncode == 1
    assert ended.stderr == "queue-proxy: CONTAINER_CONCURRENCY=None is not usable: a whole number, 0 or more\n"


def test_a_port_that_is_taken_is_named() -> None:
    port = free_port()
    ended = run(QUEUE_SERVING_PORT=str(port), SWELL_ADMIN_PORT=str(port))
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


async def test_it_announces_itself_once_the_app_listens() -> None:
    app = App()
    await app.start()
    async with sidecar(app, SERVING_READINESS_PROBE=TCP) as qp:
        announcement = qp.announcement
        assert (await call(qp.address)).status == 200
    assert (announcement.namespace, announcement.revision) == ("default", "hello-00001")
    assert (announcement.pod, announcement.uid) == ("hello-00001-deployment-1", "8f2c")


async def test_forked_from_a_warm_process_it_serves_drains_and_ends() -> None:
    app = App()
    await app.start()
    async with sidecar(app, ("-c", FORK), SERVING_READINESS_PROBE=TCP, SWELL_DRAIN_QUIET_S="0") as qp:
        assert (await call(qp.address)).status == 200
        children = Path(f"/proc/{qp.process.pid}/task/{qp.process.pid}/children").read_text().split()
        os.kill(int(children[0]), 15)
        assert await qp.ended() == 0


async def test_it_is_small() -> None:
    app = App()
    await app.start()
    async with sidecar(app, SERVING_READINESS_PROBE=TCP) as qp:
        for _ in range(100):
            await call(qp.address)
        assert rss_mb(qp.process.pid) < 30


def test_it_loads_no_client_of_kubernetes_and_nothing_else_that_is_heavy() -> None:
    heavy = "kubernetes_asyncio aiohttp numpy typer rich cryptography websockets yaml google http.client email"
    code = f"import sys, activator.queueproxy.__main__; print(*(set({heavy.split()!r}) & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
