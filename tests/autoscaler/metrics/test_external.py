"""When sources are asked, what is told of those that fail, and what a real server may do to whoever asks it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping

import pytest

from autoscaler.metrics.external import FAILURES_TOLD, INTERVAL_S, LIMIT_S, PARALLEL_MAX, External
from autoscaler.metrics.external_answers import SourceFailed, address, value_of
from autoscaler.metrics.external_http import BODY_BYTES_MAX, HttpSource
from swell.api.extra_metrics import ExtraMetric, MetricType
from swell.api.meta import Key
from swell.testing.clock import ManualClock, settle
from swell.testing.sources import Source, running_source

KEY = Key("default", "hello-00001")
QUEUE = ExtraMetric(MetricType.JSON, "queue", 5.0, url="http://queue/", path="/queue/length")
OTHER = ExtraMetric(MetricType.PROMETHEUS, "other", 5.0, url="http://prom", query="up")
CPU = ExtraMetric(MetricType.CPU, "cpu", 0.7)
MEMORY = ExtraMetric(MetricType.MEMORY, "memory", 1e6)
RPS = ExtraMetric(MetricType.RPS, "rps", 10.0)


class Asker:
    """Follows revisions in virtual time; `answers` are what sources say, by the name of their first metric."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.answers: dict[str, float | Exception] = {}
        self.asked: list[tuple[str, ...]] = []
        self.under_way = 0
        self.most = 0
        self.gate: asyncio.Event | None = None
        self.values: list[Mapping[str, float]] = []
        self.told: list[tuple[Key, str, str | None]] = []
        self.external = External(self.clock, self._read, self._take, lambda *told: self.told.append(told))

    async def _read(self, key: Key, metrics: tuple[ExtraMetric, ...]) -> Mapping[str, float | SourceFailed]:
        self.asked.append(tuple(metric.name for metric in metrics))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.under_way -= 1
        answer = self.answers.get(metrics[0].name, 1.0)
        if isinstance(answer, Exception):
            raise answer
        return {metric.name: answer for metric in metrics}

    def _take(self, key: Key, values: Mapping[str, float]) -> None:
        self.values.append(values)
        if values.get("queue") == 13:
            raise RuntimeError("a bug in whoever takes values")


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    asker = Asker()
    yield asker
    await asker.external.close()


async def test_each_source_is_asked_once_an_interval_and_of_requests_nobody(asker: Asker) -> None:
    asker.external.follow(KEY, [QUEUE, RPS, CPU, OTHER, MEMORY])
    await settle()
    assert sorted(asker.asked) == [("cpu", "memory"), ("other",), ("queue",)]
    assert asker.values == [{"queue": 1.0, "other": 1.0, "cpu": 1.0, "memory": 1.0}]
    await asker.clock.pass_time(INTERVAL_S - 1)
    assert len(asker.asked) == 3
    await asker.clock.pass_time(1)
    assert (len(asker.asked), len(asker.values)) == (6, 2)
    asker.external.follow(KEY, [RPS])
    await asker.clock.pass_time(3 * INTERVAL_S)
    assert len(asker.asked) == 6, "nobody is asked any more"


async def test_a_failure_is_told_when_it_lasts_and_when_it_is_over(asker: Asker) -> None:
    asker.answers["queue"] = SourceFailed("it answers 503")
    asker.external.follow(KEY, [QUEUE, OTHER])
    await settle()
    assert math.isnan(asker.values[0]["queue"]) and asker.values[0]["other"] == 1.0
    assert (asker.told, asker.external.failing) == ([], [(KEY, "queue")])
    await asker.clock.pass_time(5 * INTERVAL_S)
    assert FAILURES_TOLD == 2
    assert asker.told == [(KEY, "queue", "it answers 503")], "once, however long it lasts"
    asker.answers["queue"] = 4.0
    await asker.clock.pass_time(INTERVAL_S)
    assert asker.told[1:] == [(KEY, "queue", None)]
    assert (asker.values[-1]["queue"], asker.external.failing) == (4.0, [])


async def test_a_source_that_does_not_answer_in_time_is_given_up_and_holds_up_no_other_revision(asker: Asker) -> None:
    asker.gate = asyncio.Event()
    asker.external.follow(KEY, [QUEUE])
    await asker.clock.pass_time(LIMIT_S)
    assert (asker.under_way, math.isnan(asker.values[0]["queue"])) == (0, True)
    await asker.clock.pass_time(INTERVAL_S + 0.5)
    assert asker.told == [(KEY, "queue", "no answer within 3 s")]


async def test_only_so_many_are_asked_at_once(asker: Asker) -> None:
    asker.gate = asyncio.Event()
    for number in range(3 * PARALLEL_MAX):
        asker.external.follow(Key("default", f"r{number}"), [QUEUE])
    await settle()
    assert asker.most == PARALLEL_MAX
    asker.gate.set()
    await settle()
    assert (asker.most, len(asker.values)) == (PARALLEL_MAX, 3 * PARALLEL_MAX)


async def test_a_bug_in_a_source_or_in_whoever_takes_values_ends_no_asking(asker: Asker) -> None:
    asker.answers["queue"] = ZeroDivisionError("oops")
    asker.external.follow(KEY, [QUEUE])
    await asker.clock.pass_time(INTERVAL_S)
    assert asker.told == [(KEY, "queue", "ZeroDivisionError: oops")]
    asker.answers["queue"] = 13.0
    await asker.clock.pass_time(INTERVAL_S)
    asker.answers["queue"] = 14.0
    await asker.clock.pass_time(INTERVAL_S)
    assert asker.values[-1] == {"queue": 14.0}


async def test_a_revision_that_is_forgotten_is_not_asked_for_even_if_the_answer_is_under_way(asker: Asker) -> None:
    asker.gate = asyncio.Event()
    asker.external.follow(KEY, [QUEUE])
    await settle()
    asker.external.forget(KEY)
    asker.gate.set()
    await asker.clock.pass_time(2 * INTERVAL_S)
    assert (asker.values, len(asker.asked), asker.external.failing) == ([], 1, [])


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with running_source() as source:
        yield source


@pytest.fixture
async def http() -> AsyncIterator[HttpSource]:
    http = HttpSource()
    yield http
    await http.close()


async def test_a_real_server_is_asked_as_prometheus_and_for_json(source: Source, http: HttpSource) -> None:
    source.value = 42.0
    metric = ExtraMetric(MetricType.PROMETHEUS, "p", 1.0, url=source.url(""), query='sum(jobs{queue="a b"}) > 0')
    assert value_of(metric, await http.get(address(metric))) == 42.0
    assert source.queries == ['sum(jobs{queue="a b"}) > 0']
    document = ExtraMetric(MetricType.JSON, "j", 1.0, url=source.url("/state?x=%2F"), path="/queue/length")
    assert value_of(document, await http.get(address(document))) == 42.0
    assert source.headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in source.headers and "Authorization" not in source.headers


async def test_a_redirect_is_not_followed(source: Source, http: HttpSource) -> None:
    assert (await http.get(source.url("/away"))).status == 302
    assert source.paths == ["/away"]


async def test_a_huge_answer_is_not_read_to_its_end(source: Source, http: HttpSource) -> None:
    with pytest.raises(SourceFailed, match=f"longer than {BODY_BYTES_MAX} bytes"):
        await http.get(source.url("/huge"))


async def test_a_server_that_is_not_there_or_speaks_something_else_fails(source: Source, http: HttpSource) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SourceFailed, match="cannot be asked"):
        await http.get(f"http://127.0.0.1:{port}/")
    server.close()
    await server.wait_closed()
    with pytest.raises(SourceFailed, match="cannot be asked"):
        await http.get(f"http://127.0.0.1:{port}/")
    with pytest.raises(SourceFailed, match="cannot be asked"):
        await http.get("http://nobody.invalid/")


async def test_a_slow_server_is_left_when_its_time_is_over(source: Source, http: HttpSource) -> None:
    clock, told = ManualClock(), list[str | None]()
    values: list[Mapping[str, float]] = []

    async def read(key: Key, metrics: tuple[ExtraMetric, ...]) -> Mapping[str, float | SourceFailed]:
        return {"queue": value_of(metrics[0], await http.get(source.url("/slow")))}

    external = External(clock, read, lambda _, found: values.append(found), lambda *last: told.append(last[2]))
    external.follow(KEY, [QUEUE])
    for times in (1, 2):
        await source.asked("/slow", times)
        await clock.pass_time(LIMIT_S + 0.5)
        assert len(values) == times
        await clock.pass_time(INTERVAL_S - LIMIT_S)
    assert told == ["no answer within 3 s"]
    await external.close()
