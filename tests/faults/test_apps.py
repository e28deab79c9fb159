"""Apps that break connections, through a whole cluster: what the caller gets, and that nobody else is hurt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from swell.local.launch import launch
from swell.testing.home import Answer, Home, Objects, embedded, unique

APP = Path(__file__).with_name("rude_app.py")
TIMEOUT_S = 3
UPLOAD_BYTES = 20 * 2**20


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    cluster = launch(tmp_path_factory.mktemp("state"))
    yield embedded(cluster, APP)
    assert cluster.stop() == 0


class Rude:
    """A Service of the rude app, and what its well-behaved callers get meanwhile."""

    def __init__(self, objects: Objects, name: str) -> None:
        self.objects = objects
        self.name = name

    async def get(self, path: str) -> Answer:
        return await self.objects.get(self.name, path)

    async def post(self, path: str, body: bytes = b"hello") -> Answer:
        return await self.objects.request("POST", self.name, path, data=body)

    async def runs(self, number: str) -> int:
        return int((await self.get(f"/runs?id={number}")).text)

    async def is_well(self) -> None:
        """Nothing is left of what went wrong: not in a pool, not in a count."""
        answers = await asyncio.gather(*(self.get("/") for _ in range(50)), *(self.post("/") for _ in range(50)))
        assert {(answer.status, answer.text) for answer in answers} == {(200, "ok")}


@pytest.fixture
async def rude(home: Home) -> AsyncIterator[Rude]:
    async with home.client() as objects:
        name = unique("rude")
        await objects.deploy(objects.service(name, annotations={"min-scale": "1"}, timeoutSeconds=TIMEOUT_S))
        found = Rude(objects, name)
        await found.is_well()
        yield found
        await found.is_well()
        await objects.clean()


@pytest.mark.parametrize("path", ["/reset", "/reset-chunked"])
async def test_case_42_an_app_that_resets_in_its_answer_is_seen_to_break_off(rude: Rude, path: str) -> None:
    for _ in range(10):
        with pytest.raises(aiohttp.ClientPayloadError):
            await rude.get(path)


async def test_case_43_an_app_that_leaves_with_a_kept_connections_request_is_asked_again_by_get_only(
    rude: Rude,
) -> None:
    gets = [await rude.get("/second") for _ in range(40)]
    assert {answer.status for answer in gets} == {200}
    posts = [await rude.post(f"/second?id={number}") for number in range(40)]
    assert 502 in {answer.status for answer in posts} <= {200, 502}
    assert all(answer.text == "EOF\n" for answer in posts if answer.status == 502)
    assert [await rude.runs(str(number)) for number in range(40)] == [1] * 40, "no POST runs twice"


async def test_an_app_that_leaves_after_each_answer_is_asked_again_by_get_only(rude: Rude) -> None:
    gets = await asyncio.gather(*(rude.get("/leaves") for _ in range(200)))
    assert {answer.status for answer in gets} == {200}
    posts = await asyncio.gather(*(rude.post(f"/leaves?id=leaves-{number}") for number in range(200)))
    assert {answer.status for answer in posts} <= {200, 502}
    runs = [await rude.runs(f"leaves-{number}") for number in range(200)]
    assert max(runs) == 1
    assert all(run == 1 for run, answer in zip(runs, posts, strict=True) if answer.status == 200)


async def test_case_29_an_app_that_never_answers_is_a_504_at_the_timeout_and_holds_nobody_up(rude: Rude) -> None:
    never = [asyncio.create_task(rude.get("/never")) for _ in range(50)]
    await rude.is_well()
    assert {answer.status for answer in await asyncio.gather(*never)} == {504}


@pytest.mark.parametrize("path", ["/early", "/early-reset"])
async def test_an_app_that_answers_before_it_has_read_the_upload_is_heard(rude: Rude, path: str) -> None:
    async def upload() -> AsyncIterator[bytes]:
        for _ in range(UPLOAD_BYTES // 2**16):
            yield bytes(2**16)

    for _ in range(5):
        host = {"Host": rude.objects.home.host(rude.name), "Content-Length": str(UPLOAD_BYTES)}
        url = rude.objects.home.url(path)
        async with rude.objects.session.post(url, data=upload(), headers=host) as answer:
            assert (answer.status, await answer.text()) == (413, "much")
