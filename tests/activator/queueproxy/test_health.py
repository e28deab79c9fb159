"""Probes at a real queue-proxy, and its probing of the app: spec dataplane C50, C52-C55, C57, C75."""

from __future__ import annotations

import asyncio
import json

import pytest

from swell.testing.peers import OK, App, Caller, call
from swell.testing.sidecar import sidecar

KUBELET = {"User-Agent": "kube-probe/1.31"}
ACTIVATOR = {"User-Agent": "Knative-Activator-Probe"}
QUEUE = {"K-Network-Probe": "queue"}
TCP = json.dumps({"tcpSocket": {"port": 0, "host": "127.0.0.1"}, "successThreshold": 1})


async def test_case_50_a_ready_app_is_reported_and_the_probe_never_reaches_it() -> None:
    app = App()
    await app.start()
    async with sidecar(app, SERVING_READINESS_PROBE=TCP) as qp:
        for prober in (KUBELET, ACTIVATOR, {"User-Agent": "Knative-Autoscaling-Probe"}):
            answer = await call(qp.address, "/healthz", prober | QUEUE)
            assert (answer.status, answer.body) == (200, b"queue")
    assert app.heads == []


async def test_case_52_a_check_that_is_under_way_passes_as_soon_as_the_app_listens() -> None:
    app = App()
    await app.start()
    async with sidecar(app, SERVING_READINESS_PROBE=TCP) as qp:
        await app.stop()
        check = asyncio.create_task(call(qp.address, "/", KUBELET | QUEUE))
        await asyncio.wait([check], timeout=0.12)
        assert not check.done()
        await app.start()
        assert (await check).body == b"queue"


async def test_with_a_period_a_check_is_one_attempt() -> None:
    app = App()
    await app.start()
    probe = json.dumps({"tcpSocket": {"port": 0}, "periodSeconds": 5})
    async with sidecar(app, SERVING_READINESS_PROBE=probe) as qp:
        await app.stop()
        answer = await call(qp.address, "/", KUBELET | QUEUE)
        assert (answer.status, answer.body) == (503, b"")


REFUSED = [
    ("another value", KUBELET | {"K-Network-Probe": "no <b>"}, b"unexpected probe header value: no <b>\n"),
    ("an ingress without a hash", {"K-Network-Probe": "probe"}, b"a probe request must contain a non-empty"),
]


@pytest.mark.parametrize(("headers", "body"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_a_probe_that_asks_for_something_else_is_refused(headers: dict[str, str], body: bytes) -> None:
    async with sidecar(App()) as qp:
        answer = await call(qp.address, "/", headers)
    assert answer.status == 400
    assert answer.body.startswith(body)


async def test_case_53_a_kubelet_that_does_not_say_what_it_probes_is_refused() -> None:
    app = App()
    await app.start()
    async with sidecar(app) as qp:
        answer = await call(qp.address, "/", KUBELET)
    assert (answer.status, answer.body) == (400, b"unexpected probe header value: \n")
    assert app.heads == []


async def test_an_ingress_gets_its_hash_back() -> None:
    async with sidecar(App()) as qp:
        answer = await call(qp.address, "/", {"K-Network-Probe": "probe", "K-Network-Hash": "123"})
    assert (answer.status, answer.body, answer.headers["k-network-hash"]) == (200, b"", "123")


async def test_case_54_a_probe_header_of_somebody_else_is_a_request() -> None:
    app = App()
    await app.start()
    async with sidecar(app) as qp:
        answer = await call(qp.address, "/", {"User-Agent": "curl/8"} | QUEUE)
    assert (answer.status, len(app.heads)) == (200, 1)


async def test_what_comes_through_the_front_door_is_never_a_probe() -> None:
    app = App()
    await app.start()
    async with sidecar(app) as qp:
        await call(qp.address, "/", KUBELET | {"K-Proxy-Request": "activator"})
    assert len(app.heads) == 1


async def test_case_55_a_legacy_kubelet_probe_passes_a_saturated_limit_uncounted() -> None:
    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/block" in head:
            await reader.read()
        else:
            writer.write(OK % (2, b"ok"))

    app = App(serve)
    await app.start()
    async with sidecar(app, CONTAINER_CONCURRENCY="1") as qp:
        blocking = await Caller.connect(qp.address)
        blocking.send("/block")
        await app.until(lambda app: len(app.heads) == 1)
        assert (await call(qp.address, "/", {"K-Kubelet-Probe": "1"})).body == b"ok"


async def test_case_56_of_two_probes_both_must_pass() -> None:
    first, second = App(), App()
    await first.start()
    await second.start()
    probes = [{"httpGet": {"port": 0}, "periodSeconds": 5}, {"tcpSocket": {"port": second.port}, "periodSeconds": 5}]
    async with sidecar(first, SERVING_READINESS_PROBE=json.dumps(probes)) as qp:
        assert (await call(qp.address, "/", KUBELET | QUEUE)).body == b"queue"
        await second.stop()
        answer = await call(qp.address, "/", KUBELET | QUEUE)
        assert (answer.status, answer.body) == (503, b"")


async def test_case_57_redirects_are_followed_and_the_last_status_decides() -> None:
    status = [b"500 No"]

    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET /ready?full=1 "):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status[0])

    app = App(serve)
    await app.start()
    probe = {
        "httpGet": {
            "path": "ready?full=1",
            "httpHeaders": [{"name": "X-Key", "value": "k"}, {"name": "Host", "value": "no"}],
        },
        "periodSeconds": 1,
    }
    async with asyncio.TaskGroup() as tasks:
        opened = tasks.create_task(_first_ready(app, json.dumps(probe)))
        await app.until(lambda app: len(app.heads) >= 4)
        assert not opened.done(), "not ready: 302 leads to 500"
        status[0] = b"204 Yes"
    first, second = app.heads[:2]
    assert first.startswith(b"GET /ready?full=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % app.port)
    assert b"User-Agent: kube-probe//\r\n" in first
    assert b"X-Key: k\r\n" in first
    assert b"no" not in first
    assert second.startswith(b"GET /elsewhere HTTP/1.1\r\n")


async def _first_ready(app: App, probe: str) -> None:
    async with sidecar(app, SERVING_READINESS_PROBE=probe):
        pass


async def test_case_75_twenty_callers_at_once_share_one_probe() -> None:
    app = App()
    await app.start()
    probe = json.dumps({"httpGet": {"path": "/ready"}, "periodSeconds": 10})
    async with sidecar(app, SERVING_READINESS_PROBE=probe) as qp:
        release = asyncio.Event()

        async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.write(OK % (2, b"ok"))

        app.serve = slow
        before = len(app.heads)
        callers = [await Caller.connect(qp.address) for _ in range(20)]
        for caller in callers:
            caller.send("/", ACTIVATOR | QUEUE)
        await app.until(lambda app: len(app.heads) > before)
        # All twenty have been read by now: a request behind them on a connection of its own is answered.
        assert (await call(qp.address, "/", {"K-Network-Probe": "probe", "K-Network-Hash": "x"})).status == 200
        release.set()
        answers = [await caller.answer() for caller in callers]
    assert {answer.body for answer in answers} == {b"queue"}
    assert len(app.heads) == before + 1
