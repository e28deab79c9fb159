"""The statistics port and the drain port of a real queue-proxy: spec dataplane C58, C60, 3.9."""

from __future__ import annotations

import asyncio

from swell.testing.peers import App, Caller, call
from swell.testing.sidecar import sidecar
from swell.wire.stats import Stat, decode_stat

PROTOBUF = {"Accept": "application/protobuf"}


async def test_case_58_right_after_the_start_there_is_only_the_pod_name() -> None:
    async with sidecar(App()) as qp:
        answer = await call(qp.statistics, "/metrics", PROTOBUF)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/protobuf")
    assert decode_stat(answer.body) == Stat("hello-00001-deployment-1")


async def test_case_60_other_paths_are_not_found() -> None:
    async with sidecar(App()) as qp:
        for address in (qp.statistics, qp.admin):
            assert (await call(address, "/")).status == 404


async def test_case_58_protobuf_is_what_everybody_gets_who_does_not_ask_for_text() -> None:
    async with sidecar(App()) as qp:
        for headers in ({}, {"Accept": "*/*"}, {"Accept": "text/plain, application/protobuf"}):
            answer = await call(qp.statistics, "/metrics", headers)
            assert answer.headers["content-type"] == "application/protobuf"


async def test_who_asks_for_text_gets_it_with_the_names_that_it_had() -> None:
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    async with sidecar(App()) as qp:
        answer = await call(qp.statistics, "/metrics", {"Accept": prometheus})
    assert answer.headers["content-type"].startswith("text/plain")
    labels = (
        'destination_namespace="default",destination_configuration="hello",'
        'destination_revision="hello-00001",destination_pod="hello-00001-deployment-1"'
    )
    assert f"\nqueue_average_concurrent_requests{{{labels}}} 0\n" in answer.body.decode()


async def test_requests_are_counted_and_probes_are_not() -> None:
    async def block(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    app = App(block)
    await app.start()
    async with sidecar(app) as qp:
        callers = [await Caller.connect(qp.address) for _ in range(3)]
        for caller, headers in zip(callers, ({}, {"K-Proxy-Request": "activator"}, {}), strict=True):
            caller.send("/", headers)
        await app.until(lambda app: len(app.heads) == 3)
        await call(qp.address, "/", {"User-Agent": "kube-probe/1.31", "K-Network-Probe": "queue"})
        arrived = proxied = 0.0
        async with asyncio.timeout(20):
            while True:  # a snapshot a second: the one with the arrivals, then one of them all in flight
                stat = decode_stat((await call(qp.statistics, "/metrics", PROTOBUF)).body)
                arrived, proxied = max(arrived, stat.request_count), max(proxied, stat.proxied_request_count)
                if stat.request_count == 0 and stat.average_concurrent_requests:
                    break
                await asyncio.sleep(0.05)
    assert (arrived, proxied) == (3, 1)
    assert round(stat.average_concurrent_requests, 6) == 3
    assert round(stat.average_proxied_concurrent_requests, 6) == 1
    assert stat.process_uptime > 1
