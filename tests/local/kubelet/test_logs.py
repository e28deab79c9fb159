"""Logs of containers as the API asks for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from swell.kube.errors import Invalid
from swell.local.apiserver.podlogs import LogOptions
from swell.local.host.rotation import older
from swell.local.kubelet.logs import PodLogs
from swell.local.kubelet.tails import CHUNK_BYTES, last_lines_start, read_from
from swell.testing.clock import ManualClock, settle

POD: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "default", "uid": "u-1"},
    "status": {"containerStatuses": [{"name": "late", "state": {"waiting": {"reason": "ErrImagePull"}}}]},
}


class Container:
    """A container that writes as its test says."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.logs = PodLogs(folder, self.clock)
        self.instance = -1
        self.begin()

    def begin(self) -> None:
        self.instance += 1
        self.path = Path(self.logs.begin(POD, "app", self.instance))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def read(self, **options: Any) -> str:
        return b"".join([piece async for piece in self.logs.read(POD, "app", LogOptions(**options))]).decode()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


async def test_all_of_it_or_its_last_lines(container: Container) -> None:
    assert await container.read() == ""
    container.write("one\ntwo\nthree\nfo")
    assert await container.read() == "one\ntwo\nthree\nfo"
    assert await container.read(tail_lines=2) == "three\nfo"
    assert await container.read(tail_lines=0) == ""
    assert await container.read(tail_lines=99) == "one\ntwo\nthree\nfo"


async def test_the_part_that_was_moved_aside_comes_first(container: Container) -> None:
    Path(older(str(container.path))).write_text("a\nb\n")
    container.write("c\nd\n")
    assert await container.read() == "a\nb\nc\nd\n"
    assert await container.read(tail_lines=2) == "c\nd\n"
    assert await container.read(tail_lines=3) == "b\nc\nd\n"


async def test_the_instance_before_the_restart_is_kept_and_no_other(container: Container) -> None:
    with pytest.raises(Invalid, match='previous terminated container "app" in pod "web" not found'):
        await container.read(previous=True)
    for text in ("first\n", "second\n", "third\n"):
        container.write(text)
        container.logs.end(str(container.path))
        container.begin()
    assert (await container.read(previous=True), await container.read()) == ("third\n", "")
    assert len(list(container.path.parent.glob("*.log"))) == 2


async def test_a_container_that_has_not_started_says_what_it_waits_for(container: Container) -> None:
    with pytest.raises(Invalid) as raised:
        await anext(container.logs.read(POD, "late", LogOptions()))
    assert (raised.value.status, raised.value.reason) == (400, "BadRequest")
    assert raised.value.message == 'container "late" in pod "web" is waiting to start: ErrImagePull'


async def test_following_goes_on_until_the_container_ends(container: Container) -> None:
    container.write("one\n")
    reader = asyncio.create_task(container.read(follow=True))
    await settle()
    container.write("two\n")
    await container.clock.pass_time(1.0)
    container.path.write_text("")
    await container.clock.pass_time(1.0)
    container.write("cut\n")
    await container.clock.pass_time(1.0)
    assert not reader.done()
    container.write("last\n")
    container.logs.end(str(container.path))
    await container.clock.pass_time(1.0)
    assert await reader == "one\ntwo\ncut\nlast\n"


async def test_times_are_known_from_watching_the_file_grow(container: Container) -> None:
    container.write("old\n")
    container.clock.advance(60.0)
    middle = container.clock.wall()
    container.write("new\n")
    container.clock.advance(60.0)
    assert await container.read(since_s=middle) == "new\n"
    assert await container.read(since_s=middle - 1000) == "old\nnew\n"
    stamped = (await container.read(timestamps=True)).splitlines()
    assert [line.split(" ")[1] for line in stamped] == ["old", "new"]
    assert stamped[0] < stamped[1]


async def test_last_words_are_few(container: Container) -> None:
    container.write("\n".join(str(number) for number in range(1000)) + "\n")
    words = container.logs.last_words(str(container.path))
    assert words.splitlines() == [str(number) for number in range(920, 1000)]
    container.write("x" * 5000)
    assert container.logs.last_words(str(container.path)) == "x" * 2048
    assert container.logs.last_words(str(container.path.parent / "none")) == ""


async def test_logs_go_with_their_pod(container: Container) -> None:
    container.write("x\n")
    container.logs.keep_only([POD])
    assert await container.read() == "x\n"
    container.logs.remove(POD)
    assert not container.path.parent.exists()
    container.begin()
    container.logs.keep_only([])
    assert not container.path.parent.exists()


def test_tails_of_large_files(tmp_path: Path) -> None:
    path = tmp_path / "large"
    lines = [b"%06d\n" % number for number in range(4 * CHUNK_BYTES // 7)]
    path.write_bytes(b"".join(lines))
    for count in (1, 2, len(lines) // 2, len(lines) - 1, len(lines), len(lines) + 1):
        assert b"".join(read_from(path, last_lines_start(path, count))) == b"".join(lines[-count:])
    path.write_bytes(b"y" * (40 * CHUNK_BYTES))
    assert sum(map(len, read_from(path, 0))) == 40 * CHUNK_BYTES
