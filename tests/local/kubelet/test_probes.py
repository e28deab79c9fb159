"""Probes: when they are tried, what their tries come to, and single tries on both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from swell.local.kubelet.attempts import HttpGet, http_get, http_get_of, tcp_connect
from swell.local.kubelet.backoff import CrashBackoff, image_delay_s
from swell.local.kubelet.podspec import PodFacts
from swell.local.kubelet.probes import QUICK_LAST_S, Timing, Verdict, probe
from swell.testing.clock import ManualClock, settle


def test_zeroes_are_defaults_as_in_kubernetes() -> None:
    assert Timing.parse({"periodSeconds": 0, "successThreshold": 0}) == Timing()
    assert Timing.parse({"periodSeconds": 2, "timeoutSeconds": 3, "failureThreshold": 4}) == Timing(
        period_s=2, timeout_s=3, failure_threshold=4
    )


def test_failures_count_once_per_period_however_often_it_is_tried() -> None:
    verdict = Verdict(Timing(period_s=10, failure_threshold=3), passed=None, eager=True)
    told = [now_s for now_s in range(0, 60) if verdict.take(False, float(now_s))]
    assert told == [20, 50]
    assert verdict.passed is False


def test_enough_successes_in_a_row_make_it_pass() -> None:
    verdict = Verdict(Timing(success_threshold=2), passed=None, eager=True)
    assert [verdict.take(success, 0.0) for success in (True, False, True, True, True)] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_a_probe_that_passed_may_fail_for_a_while() -> None:
    verdict = Verdict(Timing(period_s=1, failure_threshold=3), passed=True, eager=True)
    results = [verdict.take(False, float(now_s)) for now_s in (0, 1)]
    assert not any(results) and verdict.passed
    verdict.take(True, 2.0)
    assert [verdict.take(False, float(now_s)) for now_s in (3, 4, 5)] == [False, False, True]


def test_eager_tries_come_quickly_and_then_slower() -> None:
    verdict = Verdict(Timing(), passed=None, eager=True)
    pauses = [verdict.pause_s() for _ in range(20)]
    assert pauses[0] == 0.01 and pauses[-1] == QUICK_LAST_S and pauses == sorted(pauses)
    verdict.take(True, 0.0)
    assert verdict.pause_s() == 10.0
    assert Verdict(Timing(), passed=None, eager=False).pause_s() == 10.0


async def test_it_waits_for_its_initial_delay_and_tells_each_change() -> None:
    clock = ManualClock()
    answers = ["down", "", "", "bad", "bad"]
    tried: list[float] = []
    told: list[tuple[bool, str]] = []

    async def attempt(timeout_s: float) -> str:
        assert timeout_s == 1.0
        tried.append(round(clock.now(), 2))
        return answers.pop(0) if answers else "bad"

    timing = Timing(initial_delay_s=5, period_s=1, failure_threshold=2, quick_s=0.5)
    task = asyncio.create_task(probe(attempt, timing, clock, lambda passed, message: told.append((passed, message))))
    await clock.pass_time(10.0, step_s=0.5)
    task.cancel()
    assert tried[:5] == [5.0, 5.5, 6.5, 7.5, 8.5]
    assert told == [(True, ""), (False, "bad")]
    await settle()


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\n\r\n", ""),
    (b"HTTP/1.0 399 Odd\r\n\r\n", ""),
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP probe failed with statuscode: 503"),
    (b"SSH-2.0-x\r\n", "the answer is not HTTP/1.1"),
    (b"", "the connection was closed before an answer came"),
    (None, "no answer from 127.0.0.1:{port} within 0.1 s"),
]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(("answer", "verdict"), ANSWERS)
def test_an_http_probe_judges_the_status(run: Any, answer: bytes | None, verdict: str) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        headers = [{"name": "K-Network-Probe", "value": "queue"}, {"name": "Host", "value": "other"}]
        facts = PodFacts("d", "n", "u", "127.0.0.1", "local", {8080: port})
        get = http_get_of({"port": 8080, "path": "x", "httpHeaders": headers}, {"name": "c"}, facts)
        timeout_s = 0.1 if answer is None else 5.0
        assert await http_get(get, timeout_s) == verdict.format(port=port)
        server.close()

    run(main())
    head = asked[0].decode()
    assert head.startswith("GET /x HTTP/1.1\r\nhost: other\r\nuser-agent: kube-probe/")
    assert "\r\nk-network-probe: queue\r\n" in head


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_tcp_probe_asks_only_for_a_connection(run: Any) -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        assert await tcp_connect(address, 5.0) == ""
        server.close()
        await server.wait_closed()
        refused = await tcp_connect(address, 5.0)
        assert "refused" in refused.lower()
        assert "refused" in (await http_get(HttpGet(address, b""), 5.0)).lower()

    coroutine: Coroutine[Any, Any, None] = main()
    run(coroutine)


def test_restarts_come_at_once_then_ever_later_until_it_runs_steadily() -> None:
    delays, backoff = [], CrashBackoff()
    for ran_s in (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 61.0, 0.1):
        backoff = backoff.after_end(ran_s)
        delays.append(backoff.delay_s)
    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 0.0, 1.0]
    assert [image_delay_s(attempts) for attempts in (1, 2, 3, 9)] == [10.0, 20.0, 40.0, 300.0]
