"""What a hop costs: one queue-proxy with everything on, and front door and queue-proxy in a row, against other proxies.

All proxies on one core; nginx as the app, with an answer of 12 bytes, and wrk on another. The sides are measured in
turns within one run, and the median of the rounds counts; for ratios, that of the ratios of each round. `_rps` is at 64
connections, `_cpu_us` the CPU time of the side's proxies per request. HAProxy takes part where it is installed.

`_p50_us` is at one connection, with the proxy on the core of app and wrk: on one of its own, most of it is the time a
sleeping core takes to wake up, which a virtual one makes ten times as long and no proxy can change. `added_p50_us` is
what the queue-proxy adds to direct access.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import nginx
from bench.proxy import queue_proxy_environ, read_wrk, run_pinned, running
from bench.proxy_parties import HOST
from bench.report import parser_of, report
from swell.testing.peers import free_ports
from swell.testing.processes import cpu_s, rss_mb
from swell.wire.observability import Observability, encode

CONNECTIONS = 64
WARM_UP_S = 1.0
MISSING = "bench.hops needs nginx and wrk, and leaves its figures out: install them (Debian: apt-get install nginx wrk)"
EVERYTHING_ON = {
    "CONTAINER_CONCURRENCY": "100",
    "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "300",
    "REVISION_IDLE_TIMEOUT_SECONDS": "300",
    "OBSERVABILITY_CONFIG": encode(Observability(request_metrics_protocol="prometheus")),
    "SWELL_ADMIN_PORT": "8022",
    "SWELL_STATISTICS_PORT": "9090",
    "METRICS_PROMETHEUS_PORT": "9091",
}
RATIOS = {
    "queueproxy_vs_nginx": ("queueproxy", "nginx"),
    "queueproxy_vs_haproxy": ("queueproxy", "haproxy"),
    "queueproxy_vs_aiohttp": ("queueproxy", "aiohttp"),
    "chain_vs_two_nginx": ("chain", "two_nginx"),
}


class Side(NamedTuple):
    """Where the load goes, and the processes of the proxies that it passes."""

    address: tuple[str, int]
    pids: tuple[int, ...]


class Load(NamedTuple):
    """What wrk saw."""

    requests_s: float
    requests: int
    errors: int
    p50_us: float


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("hops", __doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement, in whole seconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", nargs="*", help="only these: queueproxy nginx haproxy aiohttp chain two_nginx")
    options = parser.parse_args()
    report(measure(options.seconds, options.rounds, options.sides), as_json=options.json)


def measure(seconds: float, rounds: int, only: list[str] | None = None) -> dict[str, float]:
    """All figures; none, and a word on stderr, where nginx or wrk is missing."""
    if nginx.NGINX is None or shutil.which("wrk") is None:
        print(MISSING, file=sys.stderr)
        return {}
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swell-bench-")))
        (app_port,) = free_ports(1)
        direct = ("127.0.0.1", app_port)
        stack.enter_context(running(cores[-1], nginx.app(folder, app_port), address=direct))
        sides = _start(stack, cores[0], folder, app_port)
        sides = {name: side for name, side in sides.items() if not only or name in only}
        return _measure(cores[-1], sides, direct, seconds, rounds)


def _start(stack: ExitStack, core: int, folder: Path, app_port: int) -> dict[str, Side]:
    nginx_port, first_port, haproxy_port, plain_port, door_port, pod_port = free_ports(6)
    pod = (f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(2, 254)}", pod_port)

    def start(command: list[str], address: tuple[str, int], environ: Mapping[str, str] | None = None) -> Side:
        return Side(address, (stack.enter_context(running(core, command, environ, address)),))

    def party(name: str, port: int, *arguments: str | int) -> Side:
        command = [sys.executable, "-m", "bench.proxy_parties", name, str(port), *map(str, arguments)]
        return start(command, ("127.0.0.1", port))

    environ = queue_proxy_environ(*pod, app_port) | EVERYTHING_ON
    queue_proxy = start([sys.executable, "-m", "activator.queueproxy"], pod, environ)
    door = party("door", door_port, *pod)
    one = start(nginx.reverse_proxy(folder, "one", nginx_port, app_port), ("127.0.0.1", nginx_port))
    first = start(nginx.reverse_proxy(folder, "first", first_port, nginx_port), ("127.0.0.1", first_port))
    sides = {
        "aiohttp": party("plain", plain_port, app_port),
        "queueproxy": queue_proxy,
        "nginx": one,
        "two_nginx": Side(first.address, first.pids + one.pids),
        "chain": Side(door.address, door.pids + queue_proxy.pids),
    }
    if haproxy := shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=haproxy_port, next_port=app_port))
        sides["haproxy"] = start([haproxy, "-db", "-f", str(config)], ("127.0.0.1", haproxy_port))
    return sides


def _measure(
    core: int, sides: Mapping[str, Side], direct: tuple[str, int], seconds: float, rounds: int
) -> dict[str, float]:
    figures: dict[str, list[float]] = {}
    errors = 0
    alone = {"direct": Side(direct, ())} | {name: sides[name] for name in ("queueproxy", "nginx") if name in sides}
    for side in sides.values():
        errors += put_load(core, side.address, WARM_UP_S, CONNECTIONS).errors
    for _ in range(rounds):
        for name, side in sides.items():
            before_s = sum(map(cpu_s, side.pids))
            load = put_load(core, side.address, seconds, CONNECTIONS)
            used_s = sum(map(cpu_s, side.pids)) - before_s
            errors += load.errors
            figures.setdefault(f"{name}_rps", []).append(load.requests_s)
            figures.setdefault(f"{name}_cpu_us", []).append(1e6 * used_s / max(1, load.requests))
        for name, side in alone.items():
            with moved(side.pids, core):
                load = put_load(core, side.address, seconds, 1)
            errors += load.errors
            figures.setdefault(f"{name}_p50_us", []).append(load.p50_us)
    memory = {f"{name}_rss_mb": round(rss_mb(sides[name].pids[0]), 1) for name in ("queueproxy",) if name in sides}
    return summary(figures) | memory | {"hops_errors": errors}


@contextmanager
def moved(pids: tuple[int, ...], core: int) -> Iterator[None]:
    """These processes are on another core meanwhile."""
    before = {pid: os.sched_getaffinity(pid) for pid in pids}
    for pid in pids:
        os.sched_setaffinity(pid, {core})
    try:
        yield
    finally:
        for pid, cores in before.items():
            os.sched_setaffinity(pid, cores)


def summary(figures: Mapping[str, list[float]]) -> dict[str, float]:
    """The medians, and what the sides' make of each other: of the ratios within each round, whatever else went on."""
    made: dict[str, float] = {}
    for name, (ours, others) in RATIOS.items():
        if f"{ours}_rps" in figures and f"{others}_rps" in figures:
            made[name] = _middle_ratio(figures[f"{ours}_rps"], figures[f"{others}_rps"])
            made[f"{name}_cpu"] = _middle_ratio(figures[f"{others}_cpu_us"], figures[f"{ours}_cpu_us"])
    middle = {name: round(statistics.median(values), 1) for name, values in figures.items()}
    for name, added in (("queueproxy", "added_p50_us"), ("nginx", "nginx_added_p50_us")):
        if f"{name}_p50_us" in middle:
            made[added] = round(middle[f"{name}_p50_us"] - middle["direct_p50_us"], 1)
    return made | middle


def _middle_ratio(ours: list[float], others: list[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ours, others, strict=True)), 2)


HAPROXY = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    option forwardfor
    http-reuse always
frontend in
    bind 127.0.0.1:{port}
    default_backend out
backend out
    server app 127.0.0.1:{next_port}
"""


def put_load(core: int, address: tuple[str, int], seconds: float, connections: int) -> Load:
    """Have wrk ask, as often as it can."""
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-H", f"Host: {HOST}"]
    output = run_pinned(core, [*wrk, f"http://{address[0]}:{address[1]}/"])
    requests_s, errors = read_wrk(output)
    middle = re.search(r"50%\s+([0-9.]+)(us|ms|s)", output)
    total = re.search(r"(\d+) requests in", output)
    assert middle is not None and total is not None, output
    p50_us = float(middle[1]) * {"us": 1.0, "ms": 1e3, "s": 1e6}[middle[2]]
    return Load(requests_s, int(total[1]), errors, p50_us)


if __name__ == "__main__":
    main()
