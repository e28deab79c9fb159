"""What a program answers on its admin port, over real sockets."""

from __future__ import annotations

from collections.abc import Iterable

import aiohttp
import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from swell.runtime.errors import SwellError
from swell.runtime.vitals import Vitals
from swell.testing.peers import free_port


def pulse() -> Iterable[Metric]:
    yield GaugeMetricFamily("pulse", "Beats.", value=60)


async def test_it_is_alive_at_once_and_ready_when_the_program_says_so() -> None:
    vitals, port = Vitals(), free_port()
    async with vitals.served("127.0.0.1", port), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        assert [(await session.get(path)).status for path in ("/livez", "/readyz")] == [200, 500]
        vitals.ready = True
        assert (await session.get("/readyz")).status == 200
        assert (await session.get("/")).status == 404
        assert (await session.post("/livez")).status == 404


async def test_who_stands_by_is_ready() -> None:
    vitals = Vitals()
    vitals.stand_by()
    assert vitals.answer("GET", "/readyz", b"").status == 200


async def test_metrics_are_the_figures_of_the_parts_that_there_are_and_of_the_process() -> None:
    vitals = Vitals()
    vitals.add(pulse)
    body = vitals.answer("GET", "/metrics", b"").body
    assert b"\npulse 60.0\n" in body
    assert b"process_cpu_seconds_total" in body
    vitals.remove(pulse)
    assert b"pulse" not in vitals.answer("GET", "/metrics", b"").body


async def test_port_0_is_none_and_one_that_is_taken_is_named() -> None:
    async with Vitals().served("127.0.0.1", 0):
        pass
    port = free_port()
    async with Vitals().served("127.0.0.1", port):
        with pytest.raises(SwellError, match=f"cannot listen on 127.0.0.1:{port}, the admin port.*SWELL_ADMIN_PORT"):
            async with Vitals().served("127.0.0.1", port):
                pass
