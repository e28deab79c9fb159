"""One policy in its real process: loaded by file and entry point, asked, and ended when it hangs or dies."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.policies.process import START_S, Answer, PolicyError, PolicyProcess, Resting
from swell.policy import Seen
from swell.testing.clock import ManualClock, settle
from swell.testing.waiting import until

EXAMPLES = Path(__file__).with_name("examples.py")
TIMEOUT_S = 0.5
SEEN = Seen(
    namespace="default",
    name="hello-00001",
    now_s=1_700_000_000.0,
    ready=1,
    want=3,
    stable=10.0,
    panic=math.nan,
    in_panic=False,
    target=7.0,
    min_scale=0,
    max_scale=0,
    floor=0,
    last=None,
)
New = Callable[[str], PolicyProcess]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def new(clock: ManualClock) -> AsyncIterator[New]:
    made: list[PolicyProcess] = []

    def make(name: str) -> PolicyProcess:
        made.append(PolicyProcess(name.lower(), f"{EXAMPLES}:{name}", clock, TIMEOUT_S))
        return made[-1]

    yield make
    for process in made:
        await process.close()


async def expire(clock: ManualClock, asked: asyncio.Task[list[Answer]], limit_s: float) -> None:
    """Let the limit pass once the policy is being asked."""
    while not asked.done():
        await asyncio.sleep(0)
        if clock.pending and not asked.done():
            clock.advance(limit_s)


async def test_a_policy_is_asked_about_many_at_a_time_and_may_print(new: New) -> None:
    more = new("More")
    assert not more.up
    found = await more.ask([replace(SEEN, want=want) for want in (3, 0, 500)])
    assert found == [Answer(4, ""), Answer(None, ""), Answer(501, "")]
    two = new("Two")
    assert [await two.ask([SEEN]) for _ in range(3)] == [[Answer(2, "")]] * 3
    assert two.up
    await two.close()
    assert not two.up


async def test_an_answer_that_makes_no_sense_is_an_error_of_that_answer_alone(new: New) -> None:
    names = ["nan", "float", "negative", "huge", "text", "bool", "raises", "exits", "largest", "nothing"]
    odd = new("Odd")
    found = dict(zip(names, await odd.ask([replace(SEEN, name=name) for name in names]), strict=True))
    allowed = "; allowed: None, or an int from 0 to 2147483647"
    values = {"nan": "nan", "float": "3.0", "negative": "-1", "huge": "2147483648", "text": "'3'", "bool": "True"}
    for name, value in values.items():
        assert found[name] == Answer(None, f"answered {value}{allowed}")
    assert found["raises"].error.startswith("ValueError: no (examples.py:")
    assert found["exits"].error.startswith("SystemExit: 1 (examples.py:")
    assert (found["largest"], found["nothing"]) == (Answer(2**31 - 1, ""), Answer(None, ""))
    assert odd.up


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("CannotBeMade", "cannot be loaded: RuntimeError: no database (examples.py:"),
        ("NoPolicy", "makes no swell.policy.Policy"),
        ("NotThere", "AttributeError"),
    ],
)
async def test_a_policy_that_cannot_be_loaded_says_why(new: New, name: str, cause: str) -> None:
    with pytest.raises(PolicyError) as failed:
        await new(name).ask([SEEN])
    assert f"policy {name.lower()} " in str(failed.value) and cause in str(failed.value)


async def test_a_file_that_is_not_there_and_an_entry_point_that_is_not_installed(clock: ManualClock) -> None:
    with pytest.raises(PolicyError, match="FileNotFoundError"):
        await PolicyProcess("a", "/not/there.py:A", clock, TIMEOUT_S).ask([SEEN])
    with pytest.raises(PolicyError, match="0 installed packages have an entry point a in group swell.policies"):
        await PolicyProcess("a", "", clock, TIMEOUT_S).ask([SEEN])


async def test_a_policy_is_loaded_by_its_entry_point(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an installed package has it: a module, and the folder that tells of it."""
    (tmp_path / "night.py").write_text(EXAMPLES.read_text())
    info = tmp_path / "night-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: night\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[swell.policies]\nnight = night:Two\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = PolicyProcess("night", "", clock, TIMEOUT_S)
    assert await process.ask([SEEN]) == [Answer(2, "")]
    await process.close()


async def test_a_policy_that_hangs_is_ended_and_started_again_later_each_time(new: New, clock: ManualClock) -> None:
    hangs = new("Hangs")
    for pause_s in (10, 20, 40):
        asked = asyncio.create_task(hangs.ask([SEEN]))
        # It is loaded first, which has a limit of its own.
        await until(lambda: hangs.up and clock.pending > 0)
        clock.advance(TIMEOUT_S)
        with pytest.raises(PolicyError, match=f"it is started again in {pause_s}s"):
            await asked
        assert not hangs.up
        with pytest.raises(Resting):
            await hangs.ask([SEEN])
        clock.advance(pause_s)


async def test_a_policy_that_takes_longer_than_its_limit_is_told_of_with_the_limit(
    new: New, clock: ManualClock
) -> None:
    slow = new("HangsAfterOne")
    assert await slow.ask([SEEN]) == [Answer(7, "")]
    asked = asyncio.create_task(slow.ask([SEEN]))
    await expire(clock, asked, TIMEOUT_S)
    with pytest.raises(PolicyError, match=r"policy hangsafterone took longer than 0\.5s"):
        asked.result()


async def test_a_process_that_dies_is_started_again(new: New, clock: ManualClock) -> None:
    dies = new("Dies")
    with pytest.raises(PolicyError, match="ended, or answered what is no answer; it is started again in 10s"):
        await dies.ask([SEEN])
    clock.advance(START_S)
    with pytest.raises(PolicyError, match="it is started again in 20s"):
        await dies.ask([SEEN])
    clock.advance(10_000)
    with pytest.raises(PolicyError, match="it is started again in 40s"):
        await dies.ask([SEEN])


async def test_a_process_that_has_died_meanwhile_is_started_again(new: New, clock: ManualClock) -> None:
    two = new("Two")
    await two.ask([SEEN])
    assert two._process is not None
    two._process.kill()
    await two._process.wait()
    with pytest.raises(PolicyError):
        await two.ask([SEEN])
    clock.advance(10)
    assert await two.ask([SEEN]) == [Answer(2, "")]


async def test_the_process_ends_with_the_autoscaler_although_the_policy_hangs(clock: ManualClock) -> None:
    """Its stdin ends then, whatever the autoscaler died of."""
    hangs = PolicyProcess("hangs", f"{EXAMPLES}:HangsAfterOne", clock, TIMEOUT_S)
    await hangs.ask([SEEN])
    asked = asyncio.create_task(hangs.ask([SEEN]))
    await settle()
    process = hangs._process
    assert process is not None and process.stdin is not None and not asked.done()
    process.stdin.close()
    assert await process.wait() == 0
    with pytest.raises(PolicyError):
        await asked
