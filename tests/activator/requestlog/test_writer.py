"""Lines to a pipe that is read, or not: spec dataplane 3.11."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

import pytest

from activator.requestlog import writer as module
from activator.requestlog.writer import LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):  # the test has closed it
            os.close(end)


async def test_all_lines_of_a_turn_go_in_one_write(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(module.os, "write", lambda fd, data: written.append(bytes(data)) or len(data))
    lines = LineWriter(pipe[1])
    for number in range(3):
        lines.put(b"%d\n" % number)
    assert written == []
    await asyncio.sleep(0)
    assert written == [b"0\n1\n2\n"]


async def test_a_reader_that_does_not_keep_up_is_not_waited_for(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    line = b"x" * 1023 + b"\n"
    for _ in range(3000):
        lines.put(line)
        await asyncio.sleep(0)
    assert lines.dropped > 0
    got = bytearray()
    os.set_blocking(pipe[0], False)
    while len(got) < len(line) * (3000 - lines.dropped):
        try:
            got += os.read(pipe[0], 1 << 16)
        except BlockingIOError:
            await asyncio.sleep(0)
    assert bytes(got) == line * (3000 - lines.dropped), "whole lines, in order"
    lines.put(b"again\n")
    await asyncio.sleep(0)
    assert os.read(pipe[0], 100) == b"again\n"


async def test_without_a_reader_lines_are_dropped(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    os.close(pipe[0])
    lines.put(b"one\n")
    await asyncio.sleep(0)
    lines.put(b"two\n")
    await asyncio.sleep(0)
    assert lines.dropped == 1


async def test_closing_writes_what_is_there(pipe: tuple[int, int]) -> None:
    lines = LineWriter(pipe[1])
    lines.put(b"last\n")
    lines.close()
    assert os.read(pipe[0], 100) == b"last\n"
