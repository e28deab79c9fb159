"""What scraping costs the autoscaler: revisions of one pod each, every one asked once a second, and decided for.

The pods are one other process that answers on an address for each of them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

import uvloop

from activator.proxy.server import ProxyServer
from activator.queueproxy.ports import StatisticsPort
from activator.queueproxy.settings import Settings
from activator.queueproxy.statistics import Statistics
from autoscaler.decision.rows import Target
from autoscaler.metrics.collector import Collection
from autoscaler.metrics.scrape import Scraper
from autoscaler.revisions import Revisions
from autoscaler.ticker import Ticker
from bench.report import parser_of, report
from swell.api.meta import Key, Obj
from swell.runtime.clock import SystemClock
from swell.runtime.limits import raise_open_files
from swell.testing.sidecar import environment

TARGET = Target(70, 100, 211, 100, 2, 1000, 2, 60, True, 0)


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("scrape", __doc__)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    raise_open_files()
    mine, theirs = multiprocessing.Pipe()
    pods = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    pods.start()
    try:
        report(uvloop.run(measure(mine.recv(), options.pods, options.seconds)), as_json=options.json)
    finally:
        pods.kill()


async def measure(port: int, pods: int, seconds: float) -> dict[str, float]:
    """CPU of this process in percent of one core, and in microseconds for each answer."""
    clock, revisions = SystemClock(), Revisions()
    ticker = Ticker(revisions, clock, lambda ticked: None, lambda: True, clock.wall)
    scraper = Scraper(clock, clock.wall, lambda stats: revisions.record(stats, clock.wall()), revisions.set_blind)
    for number in range(pods):
        key = Key("default", f"hello-{number:05}")
        revisions.collect(key, Collection(60, 6), clock.wall())
        revisions.open(key, TARGET, now_s=clock.wall(), ready_pods=1)
        scraper.follow(key, 60)
        scraper.pod_changed(None, _pod(key, number, port))
    ticker.wake()
    await asyncio.sleep(3)
    used_s, began_s, rounds = time.process_time(), time.monotonic(), sum(scraper.counts)
    await asyncio.sleep(seconds)
    used_s, took_s = time.process_time() - used_s, time.monotonic() - began_s
    answers = sum(scraper.counts) - rounds
    await scraper.close()
    ticker.close()
    return {
        "scrape_pods": pods,
        "scrapes_per_s": round(answers / took_s, 1),
        "scrape_failures": scraper.failures,
        "scrape_cpu_percent": round(100 * used_s / took_s, 2),
        "scrape_us": round(1e6 * used_s / max(answers, 1), 1),
    }


def _pod(key: Key, number: int, port: int) -> Obj:
    ports = [{"name": "http-autometric", "containerPort": port}]
    return {
        "metadata": {
            "name": f"{key.name}-pod",
            "uid": f"uid-{number}",
            "namespace": key.namespace,
            "labels": {"serving.knative.dev/revision": key.name},
        },
        "spec": {"containers": [{"name": "queue-proxy", "ports": ports}]},
        "status": {
            "phase": "Running",
            "podIP": f"127.90.{number // 250}.{number % 250 + 1}",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _serve(told: Connection) -> None:
    raise_open_files()

    async def serve() -> None:
        statistics = Statistics(Settings.parse(environment(8080, "127.0.0.1")), SystemClock())
        statistics.start()
        server = ProxyServer(StatisticsPort(statistics))
        await server.start("0.0.0.0", 0)
        told.send(server.listening_port)
        await asyncio.Event().wait()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
