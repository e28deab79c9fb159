"""What a real queue-proxy records of its requests: spec dataplane 3.11, 3.12, C27, C37, C42, C54, C71."""

from __future__ import annotations

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from typing import Any

from swell.testing.peers import OK, WAIT_S, Address, App, Caller, call
from swell.testing.sidecar import Sidecar, sidecar
from swell.wire.observability import Observability, encode

LOG = encode(Observability(enable_request_log=True))
METRICS = encode(Observability(request_metrics_protocol="prometheus"))
PROBE = {"User-Agent": "kube-probe/1.31", "K-Network-Probe": "queue"}


async def next_line(qp: Sidecar) -> str:
    assert qp.process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        return (await qp.process.stdout.readline()).decode()


async def scrape(address: Address) -> dict[str, float]:
    """The values by name and labels."""
    answer = await call(address, "/metrics")
    assert (answer.status, answer.headers["content-type"][:25]) == (200, "text/plain; version=0.0.4")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def until(address: Address, name: str, value: float) -> dict[str, float]:
    """The metrics, once one of them has that value."""
    async with asyncio.timeout(WAIT_S):
        while (found := await scrape(address)).get(name) != value:
            await asyncio.sleep(0.02)
    return found


async def chunks(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if b"/dies" in head:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        writer.transport.abort()
    elif b"/hints" in head:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")
    elif b"/silent" in head:
        await reader.read()
    elif b"/chunked" in head:
        writer.write(b"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npart1;\r\n3\r\nend\r\n0\r\n\r\n")
    else:
        writer.write(OK % (5, b"hello"))


async def test_a_line_of_json_for_each_request_but_not_for_probes() -> None:
    app = App(chunks)
    await app.start()
    async with sidecar(app, output=PIPE, OBSERVABILITY_CONFIG=LOG) as qp:
        await call(qp.address, "/", PROBE)
        await call(qp.address, "/case54", {"K-Network-Probe": "queue", "User-Agent": "curl/8"})
        await call(qp.address, "/a'b?c=%22", {"User-Agent": 'x"y', "Traceparent": "00-4bf9-1-01"})
        found = json.loads(await next_line(qp))
        await call(qp.address, "/chunked")
        sizes = json.loads(await next_line(qp))["httpRequest"]
    http = found["httpRequest"]
    assert (http["requestMethod"], http["requestUrl"], http["status"]) == ("GET", "/a'b?c=%22", 200)
    assert (http["responseSize"], http["requestSize"], http["protocol"]) == ("5", "0", "HTTP/1.1")
    assert (http["userAgent"], http["serverIp"], found["traceId"]) == ('x"y', qp.address[0], "4bf9")
    assert re.fullmatch(r"127\.0\.0\.1:\d+|127\.[\d.]+:\d+", http["remoteIp"])
    assert 0 < float(http["latency"].removesuffix("s")) < WAIT_S
    assert re.fullmatch(r"\d+\.\d{1,9}s|\d(\.\d+)?e-05s", http["latency"]), (
        "nanoseconds, and not what floats make of them"
    )
    assert (sizes["status"], sizes["responseSize"]) == (201, "9")


async def test_a_template_and_probes_if_they_are_wanted() -> None:
    app = App(chunks)
    await app.start()
    template = '{{.Revision.Name}} {{.Request.Host}} {{.Request.Header.Get "X-Key"}} {{.Response.Code}}'
    wanted = encode(Observability(True, template, True))
    async with sidecar(app, output=PIPE, OBSERVABILITY_CONFIG=wanted) as qp:
        await call(qp.address, "/", PROBE)
        assert await next_line(qp) == "hello-00001 app.example.com  200\n"
        await call(qp.address, "/", {"X-Key": "k", "K-Original-Host": "asked.example.com"})
        assert await next_line(qp) == "hello-00001 asked.example.com k 200\n"


async def test_what_is_logged_of_requests_that_did_not_end_well() -> None:
    app = App(chunks)
    await app.start()
    wanted = encode(Observability(True, "{{.Request.RequestURI}} {{.Response.Code}}"))
    limits = {"REVISION_TIMEOUT_SECONDS": "0.5"}
    async with sidecar(app, output=PIPE, OBSERVABILITY_CONFIG=wanted, **limits) as qp:
        await call(qp.address, "/dies")
        assert await next_line(qp) == "/dies 500\n", "case 42"
        await call(qp.address, "/hints")
        assert await next_line(qp) == "/hints 404\n", "case 37"
        await call(qp.address, "/silent")
        assert await next_line(qp) == "/silent 504\n"
        caller = await Caller.connect(qp.address)
        caller.send("/silent/left")
        await app.until(lambda app: app.heads[-1].startswith(b"GET /silent/left"))
        caller.close()
        assert await next_line(qp) == "/silent/left 499\n"


async def test_with_a_broken_template_it_serves_and_says_what_is_wrong() -> None:
    app = App()
    await app.start()
    wanted = encode(Observability(True, "{{.Requst.Method}}"))
    async with sidecar(app, output=PIPE, OBSERVABILITY_CONFIG=wanted) as qp:
        assert (await call(qp.address)).status == 200
        qp.process.kill()
        assert qp.process.stdout is not None
        assert await qp.process.stdout.read() == b""


def of(metrics: Mapping[str, float], name: str, **labels: Any) -> list[float]:
    """The values of all series of that name with these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return [
        value for key, value in metrics.items() if key.startswith(name + "{") and all(pair in key for pair in wanted)
    ]


async def test_case_71_requests_are_counted_by_status_method_and_tag() -> None:
    app = App(chunks)
    await app.start()
    tag = {"Knative-Serving-Tag": "blue"}
    async with sidecar(app, OBSERVABILITY_CONFIG=METRICS) as qp:
        for path, headers in (("/", {}), ("/", tag), ("/", tag | {"Knative-Serving-Default-Route": "true"})):
            await call(qp.address, path, headers)
        await call(qp.address, "/", {"Knative-Serving-Default-Route": "true"})
        await call(qp.address, "/dies")
        await call(qp.address, "/", PROBE)
        await call(qp.address, "/case54", {"K-Network-Probe": "queue", "User-Agent": "curl/8"})
        found = await scrape(qp.user_metrics)
        assert (await call(qp.user_metrics, "/")).status == 404
    count = "http_server_request_duration_seconds_count"
    tags = ("kn:disabled", "blue", "kn:undefined", "kn:default")
    assert [of(found, count, kn_route_tag=tag, http_response_status_code=200) for tag in tags] == [[1.0]] * 4
    assert of(found, count, http_response_status_code=500) == [1.0], "case 42: an answer that was broken off"
    assert sum(of(found, count)) == 5, "probes, and case 54, are not in it"
    common = {"http_request_method": "GET", "server_address": "app.example.com", "network_protocol_version": "1.1"}
    assert sum(of(found, count, **common)) == 5
    assert of(found, "kn_serving_invocation_duration_seconds_count", http_response_status_code=200) == [4.0]
    assert of(found, "kn_serving_invocation_duration_seconds_bucket", http_response_status_code=200, le="+Inf") == [4.0]
    assert of(found, "http_server_response_body_size_bytes_sum", kn_route_tag="blue") == [5.0]
    assert of(found, "target_info", kn_revision_name="hello-00001", service_name="hello") == [1.0]
    assert not [name for name in found if "queue_depth" in name], "there is no limit"


async def test_case_27_who_is_refused_is_counted_but_is_no_invocation() -> None:
    opened = asyncio.Event()

    async def gate(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        writer.write(OK % (2, b"ok"))

    app = App(gate)
    await app.start()
    async with sidecar(app, CONTAINER_CONCURRENCY="1", OBSERVABILITY_CONFIG=METRICS) as qp:
        calls = [asyncio.create_task(call(qp.address)) for _ in range(12)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await until(qp.user_metrics, "kn_serving_queue_depth", 11)
        opened.set()
        await asyncio.gather(*calls)
        found = await until(qp.user_metrics, "kn_serving_queue_depth", 0)
    assert of(found, "kn_serving_invocation_duration_seconds_count") == [11.0]
    count = "http_server_request_duration_seconds_count"
    assert of(found, count, http_response_status_code=503) == [1.0]
    assert of(found, count, http_response_status_code=200) == [11.0]


async def test_without_metrics_nobody_listens_at_9091() -> None:
    other = encode(Observability(request_metrics_protocol="grpc"))
    app = App()
    await app.start()
    for wanted in ("", LOG, other):
        async with sidecar(app, output=PIPE, OBSERVABILITY_CONFIG=wanted) as qp:
            assert (await call(qp.address)).status == 200
            try:
                await call(qp.user_metrics, "/metrics")
            except ConnectionRefusedError:
                continue
            raise AssertionError("somebody listens")
