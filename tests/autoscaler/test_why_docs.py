"""docs/why.md shows what `swell why` prints: the real autoscaler in virtual time, through its port.

`SWELL_WRITE_DOCS=1 python -m pytest tests/autoscaler/test_why_docs.py` writes the page anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from swell.cli.why import render

World = Any
NAME = "hello-00001"
PAGE = Path(__file__).parents[2] / "docs" / "why.md"
SHOWN = re.compile(r"<!-- why: (?P<title>[^>]+) -->\n(?:```text\n(?P<text>.*?)```\n)?", re.DOTALL)


async def cold_start(world: World) -> None:
    await world.at_zero(target="10", window="30s")
    await world.report(4)
    await world.quiet(1)


async def spike(world: World) -> None:
    await world.revision(target="10")
    await world.load(3, 60)
    await world.load(90, 4)
    await world.follow()
    await world.load(90, 2)


async def delayed(world: World) -> None:
    await world.revision(target="10", window="20s", scale_down_delay="5m")
    await world.load(25, 60)
    await world.follow()
    await world.load(5, 60)


async def held_by_max_scale(world: World) -> None:
    await world.revision(target="10", max_scale="3")
    await world.load(40, 30)
    await world.follow()
    await world.load(40, 2)


async def going_to_zero(world: World) -> None:
    await world.revision(target="10")
    await world.load(4, 90)
    await world.quiet(40)


async def retained(world: World) -> None:
    await world.revision(target="10", window="20s", scale_to_zero_pod_retention_period="10m")
    await world.load(4, 30)
    await world.quiet(60)


async def min_scale(world: World) -> None:
    await world.revision(target="10", min_scale="2", replicas=2)
    await world.load(4, 70)


async def idle(world: World) -> None:
    await world.revision(target="10")
    await world.load(4, 10)
    await world.idle(600)


SITUATIONS: dict[str, Callable[[World], Awaitable[None]]] = {
    "a cold start": cold_start,
    "a spike": spike,
    "held by the delay": delayed,
    "held by max-scale": held_by_max_scale,
    "going to zero": going_to_zero,
    "retained": retained,
    "kept by min-scale": min_scale,
    "idle at zero": idle,
}


@pytest.mark.parametrize("title", SITUATIONS)
async def test_the_page_shows_what_is_printed(world: World, title: str) -> None:
    await SITUATIONS[title](world)
    found = json.loads((await world.http(f"/why/default/{NAME}"))[1])
    printed = f"$ swell why hello\n{render(found, UTC)}\n"
    page = PAGE.read_text()
    shown = {match["title"]: match for match in SHOWN.finditer(page)}
    if os.environ.get("SWELL_WRITE_DOCS"):
        start, end = shown[title].span()
        PAGE.write_text(f"{page[:start]}<!-- why: {title} -->\n```text\n{printed}```\n{page[end:]}")
    else:
        assert shown[title]["text"] == printed


def test_every_situation_of_the_page_is_made_here() -> None:
    assert [match["title"] for match in SHOWN.finditer(PAGE.read_text())] == [*SITUATIONS]
