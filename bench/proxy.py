"""Front door and queue-proxy in a row against one plain aiohttp reverse proxy, pinned to the same core.

The app and the load are on another core. Both sides are measured in turns within one run, and the median of
the rounds counts. Three kinds of requests: `bare`, what wrk sends by itself; `browser`, with a browser's headers;
`varied`, bare with another path each time. `vs_aiohttp` is the lower of the ratios of the first two. Per request,
`cpu_us` is the CPU time of all processes of a side, `errors` counts over everything.

Then all else that the request path promises: bench.hops (against nginx), bench.grpc, and of bench.start how long a
queue-proxy takes to start, and its memory.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson

from bench.proxy_parties import BARE, BROWSER
from bench.report import parser_of, report
from swell.testing.peers import free_ports
from swell.testing.processes import cpu_s

CONNECTIONS = 64
STARTS = 10
KINDS = ("bare", "browser", "varied")
VARIED_PATHS = 'local n = 0\nrequest = function() n = n + 1; return wrk.format("GET", "/" .. n) end\n'


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("proxy", __doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from bench import grpc, hops, start  # some of which build on what is here

    started = asyncio.run(start.measure(STARTS, burst=1))
    figures = {name: started[name] for name in ("start_ms", "start_min_ms", "rss_mb")}
    for part in (measure, hops.measure, grpc.measure):
        figures |= part(options.seconds, options.rounds)
    report(figures, as_json=options.json)


def measure(seconds: float, rounds: int) -> dict[str, float]:
    """Requests per second and CPU per request of both, and their ratio."""
    ours_port, pod_port, plain_port, app_port = free_ports(4)
    pod_ip = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(2, 254)}"
    cores = sorted(os.sched_getaffinity(0))
    proxy_core, load_core = cores[0], cores[-1]
    with ExitStack() as stack:

        def party(core: int, name: str, *arguments: str | int) -> int:
            command = [sys.executable, "-m", "bench.proxy_parties", name, *map(str, arguments)]
            return stack.enter_context(running(core, command))

        party(load_core, "app", app_port)
        queue_proxy = [sys.executable, "-m", "activator.queueproxy"]
        environ = queue_proxy_environ(pod_ip, pod_port, app_port)
        ours = [stack.enter_context(running(proxy_core, queue_proxy, environ, (pod_ip, pod_port)))]
        ours.append(party(proxy_core, "door", ours_port, pod_ip, pod_port))
        plain = [party(proxy_core, "plain", plain_port, app_port)]
        script = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swell-bench-"))) / "varied.lua"
        script.write_text(VARIED_PATHS)
        sides = {"swell": (ours_port, ours), "aiohttp": (plain_port, plain)}
        figures: dict[str, list[float]] = {}
        errors = 0
        for number in range(rounds + 1):
            for kind in KINDS:
                for side, (port, pids) in sides.items():
                    length_s = seconds if number else 1.0  # the first round only warms up
                    before_s, began_s = sum(map(cpu_s, pids)), time.perf_counter()
                    requests_s, failed = put_load(load_core, port, length_s, kind, script)
                    errors += failed
                    if number:
                        requests = max(1.0, requests_s * (time.perf_counter() - began_s))
                        figures.setdefault(f"{side}_{kind}_rps", []).append(requests_s)
                        figures.setdefault(f"{side}_{kind}_cpu_us", []).append(
                            1e6 * (sum(map(cpu_s, pids)) - before_s) / requests
                        )
    return summary(figures) | {"errors": errors}


def summary(figures: dict[str, list[float]]) -> dict[str, float]:
    """The medians, and what the two sides' make of each other."""
    middle = {name: round(statistics.median(values), 1) for name, values in figures.items()}
    rates = {kind: middle[f"swell_{kind}_rps"] / middle[f"aiohttp_{kind}_rps"] for kind in KINDS}
    cpu = {kind: middle[f"aiohttp_{kind}_cpu_us"] / middle[f"swell_{kind}_cpu_us"] for kind in KINDS}
    ratios = {
        "vs_aiohttp": min(rates["bare"], rates["browser"]),
        **{f"vs_aiohttp_{kind}": rates[kind] for kind in KINDS},
        "vs_aiohttp_cpu": min(cpu["bare"], cpu["browser"]),
        "vs_aiohttp_varied_cpu": cpu["varied"],
    }
    return {name: round(ratio, 2) for name, ratio in ratios.items()} | middle


def queue_proxy_environ(pod_ip: str, pod_port: int, app_port: int) -> dict[str, str]:
    """What a pod's queue-proxy is told, without a probe or a limit."""
    return {
        "CONTAINER_CONCURRENCY": "0",
        "QUEUE_SERVING_PORT": str(pod_port),
        "QUEUE_SERVING_TLS_PORT": "8112",
        "REVISION_TIMEOUT_SECONDS": "300",
        "SERVING_CONFIGURATION": "bench",
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "SERVING_NAMESPACE": "default",
        "SERVING_POD": "bench",
        "SERVING_POD_IP": pod_ip,
        "SERVING_REVISION": "bench-00001",
        "SWELL_ADMIN_PORT": "0",
        "SWELL_STATISTICS_PORT": "0",
        "USER_PORT": str(app_port),
    }


@contextmanager
def running(
    core: int, command: list[str], environ: Mapping[str, str] | None = None, address: tuple[str, int] | None = None
) -> Iterator[int]:
    """A process pinned to a core; its pid, once it has said so, or listens at `address`."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if address else subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        if address:
            wait_for(address, process)
        else:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError(f"did not start: {' '.join(command)}")
        yield process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_for(address: tuple[str, int], process: subprocess.Popen[bytes]) -> None:
    """Until something listens at `address`. Raises if the process ends before."""
    while process.poll() is None:
        try:
            socket.create_connection(address).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise RuntimeError(f"ended with {process.returncode}: {process.args!r}")


def put_load(core: int, port: int, seconds: float, kind: str, script: Path) -> tuple[float, int]:
    """Requests per second, and how many failed. `script` has wrk vary the paths."""
    wrk = shutil.which("wrk")
    if wrk is None:
        module = [sys.executable, "-m", "bench.proxy_parties", "load", str(port), str(CONNECTIONS), str(seconds)]
        answer = orjson.loads(run_pinned(core, [*module, kind]))
        return answer["requests_s"], answer["errors"]
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    headers = BROWSER if kind == "browser" else BARE
    command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command += ["-s", str(script)] if kind == "varied" else []
    return read_wrk(run_pinned(core, [*command, f"http://127.0.0.1:{port}/"]))


def run_pinned(core: int, command: list[str]) -> str:
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    ).stdout


def read_wrk(output: str) -> tuple[float, int]:
    """Requests per second and failures, from what wrk prints."""
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    assert rate is not None, output
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return float(rate[1]), int(failed[1] if failed else 0) + sum(map(int, broken.groups() if broken else ()))


if __name__ == "__main__":
    main()
