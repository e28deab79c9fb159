"""Logs, background tasks, and virtual time."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from swell.runtime import log
from swell.runtime.clock import SystemClock
from swell.runtime.errors import SettingsError
from swell.runtime.tasks import Daemons
from swell.testing.clock import ManualClock, settle


def test_a_log_line_is_a_message_and_fields() -> None:
    out = io.StringIO()
    log.setup("tester", stream=out)
    log.get("x").info("scaled", revision="default/hello", want=3)
    assert out.getvalue().rstrip().endswith("INFO    x: scaled revision=default/hello want=3")


def test_json_logs_keep_fields_apart_and_carry_the_traceback() -> None:
    out = io.StringIO()
    log.setup("tester", json=True, stream=out)
    try:
        raise ValueError("no")
    except ValueError:
        log.get("x").exception("failed", key="a/b")
    entry = json.loads(out.getvalue())
    assert (entry["message"], entry["key"], entry["severity"], entry["program"]) == ("failed", "a/b", "ERROR", "tester")
    assert "ValueError: no" in entry["traceback"]


def test_debug_is_off_unless_asked_for() -> None:
    out = io.StringIO()
    log.setup("tester", stream=out)
    log.get("x").debug("detail")
    assert out.getvalue() == ""


def test_a_settings_error_names_key_value_and_what_is_allowed() -> None:
    assert str(SettingsError("PORT", "x", "a number")) == "PORT='x' is not usable: a number"


async def test_the_first_daemon_that_fails_is_told() -> None:
    async def fails() -> None:
        raise ValueError("gone")

    async def stays() -> None:
        await asyncio.Event().wait()

    daemons = Daemons()
    daemons.spawn(stays(), "stays")
    daemons.spawn(fails(), "fails")
    error = await daemons.wait_failed()
    await daemons.close()
    assert isinstance(error, ValueError)


async def test_watching_ends_with_what_is_watched_or_with_the_first_daemon_that_fails() -> None:
    async def fails() -> None:
        raise ValueError("gone")

    done = asyncio.get_running_loop().create_future()
    daemons = Daemons()
    watching = asyncio.ensure_future(daemons.watch(done))
    await settle()
    assert not watching.done()
    daemons.spawn(fails(), "fails")
    with pytest.raises(ValueError, match="gone"):
        await watching
    done.set_result(None)
    await daemons.watch(done)
    await daemons.close()


async def test_the_system_clock_runs_callbacks_and_lets_them_be_cancelled() -> None:
    clock = SystemClock()
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    clock.call_later(0.0, lambda: pytest.fail("was cancelled")).cancel()
    clock.call_later(0.001, lambda: seen.set_result("ran"))
    assert await seen == "ran"


def test_virtual_time_runs_timers_in_order_at_their_moment() -> None:
    clock = ManualClock()
    ran: list[tuple[str, float]] = []
    clock.call_later(2, lambda: ran.append(("second", clock.now())))
    clock.call_later(1, lambda: ran.append(("first", clock.now())))
    clock.call_later(1.5, lambda: ran.append(("never", clock.now()))).cancel()
    clock.advance(3)
    assert ran == [("first", 1.0), ("second", 2.0)]
    assert (clock.now(), clock.pending) == (3.0, 0)


async def test_a_virtual_sleep_ends_when_time_has_passed() -> None:
    clock = ManualClock()
    sleeping = asyncio.ensure_future(clock.sleep(10))
    await clock.pass_time(9.9, step_s=1)
    assert not sleeping.done()
    clock.advance(0.1)
    await settle()
    assert sleeping.done()
