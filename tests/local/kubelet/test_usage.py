"""What pods use: from a /proc made by hand, from real processes, and as the metrics API tells it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from swell.api.kinds import POD_METRICS
from swell.api.values import quantity
from swell.kube.errors import KubeError, NotFound
from swell.local.host.wire import ProcessInfo
from swell.local.kubelet.usage import Usage, sessions_used
from swell.testing.clock import ManualClock

APP = {"name": "user-container", "image": "app"}
POD = {"metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}, "uid": "1"}}


def process(proc: Path, pid: int, session: int, cpu_s: float, kib: int, name: str = "app", ended_s: float = 0) -> None:
    """As the kernel writes it: 52 fields, of which the second may hold spaces and brackets."""
    ticks, pages = os.sysconf("SC_CLK_TCK"), kib * 1024 // os.sysconf("SC_PAGE_SIZE")
    times = [str(int(cpu_s * ticks)), "0", str(int(ended_s * ticks)), "0"]
    fields = ["S", "1", str(pid), str(session), *["0"] * 7, *times, *["0"] * 6, str(pages), *["0"] * 28]
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


def test_a_session_is_the_sum_of_its_processes_and_of_those_that_ended(tmp_path: Path) -> None:
    process(tmp_path, 10, 10, 2.0, 4096, ended_s=2.5)
    process(tmp_path, 11, 10, 0.5, 64, name="a ) S (b")
    process(tmp_path, 12, 12, 1.0, 64)
    (tmp_path / "self").mkdir()
    (tmp_path / "13").mkdir()  # it has just ended
    assert sessions_used(tmp_path, {10, 99}) == {10: (5.0, 4160 * 1024)}
    assert sessions_used(tmp_path, set()) == {}
    assert sessions_used(tmp_path / "none", {10}) == {}


def test_processor_time_is_an_average_since_it_was_asked_for_before(tmp_path: Path) -> None:
    clock = ManualClock()
    usage = Usage(clock, tmp_path)
    containers = {"app": ProcessInfo(1, 10, {}, clock.wall() - 8.0)}

    def read() -> tuple[str, Any]:
        (found,) = usage.read([(POD, containers), (POD, {})])
        assert found["metadata"]["labels"] == {"app": "web"}
        return found["window"], found["containers"]

    process(tmp_path, 10, 10, 4.0, 1024)
    assert read() == ("8.000s", [{"name": "app", "usage": {"cpu": "500000000n", "memory": "1024Ki"}}])
    process(tmp_path, 10, 10, 7.0, 2048)
    clock.advance(0.5)
    assert read()[0] == "8.000s", "asked so soon again, the numbers are the same"
    clock.advance(1.5)
    assert read() == ("2.000s", [{"name": "app", "usage": {"cpu": "1500000000n", "memory": "2048Ki"}}])
    (tmp_path / "10" / "stat").unlink()
    clock.advance(2.0)
    assert read() == ("0.000s", [])


async def test_the_metrics_api_tells_what_a_busy_pod_uses(node: Any, queue_proxy: Any) -> None:
    node.kube._server.measured[POD_METRICS] = node.kubelet.usage
    busy = {**APP, "command": ["sh", "-c", "while :; do :; done"]}
    await node.create("busy", busy)
    await node.create("idle", {**APP, "command": ["sleep", "1000"]})
    for name in ("busy", "idle"):
        await node.until(name, lambda pod: (pod.get("status") or {}).get("phase") == "Running")
    async with asyncio.timeout(20):
        while True:
            found = {each["metadata"]["name"]: each for each in (await node.kube.list(POD_METRICS, "default")).items}
            if "busy" in found and _cores(found["busy"]) > 0.01:
                break
            await asyncio.sleep(0.2)
    assert _cores(found["busy"]) > _cores(found["idle"])
    one = await node.kube.get(POD_METRICS, "default", "busy")
    assert [each["name"] for each in one["containers"]] == ["user-container"]
    assert quantity(one["containers"][0]["usage"]["memory"]) > 100_000
    selected = await node.kube.list(POD_METRICS, "default", label_selector="app=idle")
    assert [each["metadata"]["name"] for each in selected.items] == ["idle"]
    assert (await node.kube.list(POD_METRICS, "elsewhere")).items == []
    with pytest.raises(NotFound):
        await node.kube.get(POD_METRICS, "default", "none")
    with pytest.raises(KubeError):
        await node.kube.get(POD_METRICS, "elsewhere", "busy")


def _cores(metrics: Any) -> float:
    return float(quantity(metrics["containers"][0]["usage"]["cpu"]))
