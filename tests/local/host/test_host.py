"""The host with real processes: what it starts, restarts, tells and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from swell.local.host.client import Child, HostClient, HostError, HostLost
from swell.local.host.programs import RESTART_LAST_S, restart_delay_s
from swell.local.host.wire import Ended, ProcessInfo, encode, ended_to_obj, info_to_obj
from swell.testing.hosts import RunningHost, running_host
from swell.testing.processes import children, command_line
from swell.testing.waiting import until

FORKED = """
import os, signal, sys, time
def main():
    print("forked with", os.environ.get("WORD"), sorted(os.environ))
    print("descriptors", sorted(os.listdir("/proc/self/fd")))
    if os.environ.get("STAY"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    return int(os.environ.get("CODE", "0"))
"""
ENV = {"PATH": os.environ["PATH"]}


async def spawn(host: RunningHost, client: HostClient, *argv: str, **labels: str) -> Child:
    return await client.spawn(argv, env=ENV, cwd="/", log_path=str(host.folder / "out.log"), labels=labels)


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own folders are too long for a socket's name.
    with tempfile.TemporaryDirectory(prefix="swell-host-") as name:
        yield Path(name)


@contextlib.asynccontextmanager
async def running(folder: Path, **config: Any) -> AsyncIterator[tuple[RunningHost, HostClient]]:
    (folder / "forked.py").write_text(FORKED)
    async with running_host(folder, preload=["forked"], **config) as pair:
        yield pair


def alive(pid: int) -> bool:
    return command_line(pid) != ""


async def test_a_process_runs_in_a_session_of_its_own_and_its_end_is_told(folder: Path) -> None:
    async with running(folder) as (host, client):
        child = await spawn(host, client, "sh", "-c", "echo hello; echo bad >&2; exit 3")
        ended = await child.wait()
        assert (ended.code, ended.signal) == (3, 0)
        assert host.text("out.log") == "hello\nbad\n"
        sleeper = await spawn(host, client, "sleep", "60")
        await until(lambda: os.getsid(sleeper.info.pid) == sleeper.info.pid)
        await client.signal(sleeper, signal.SIGKILL)
        ended = await sleeper.wait()
        assert (ended.code, ended.signal) == (137, 9)


async def test_a_program_that_cannot_be_run_says_why_in_its_log(folder: Path) -> None:
    async with running(folder) as (host, client):
        missing = await spawn(host, client, "no-such-program")
        assert (await missing.wait()).code == 127
        assert "cannot start 'no-such-program': No such file or directory" in host.text("out.log")
        log = str(folder / "cwd.log")
        nowhere = await client.spawn(["true"], env=ENV, cwd="/no/such/folder", log_path=log, labels={})
        assert (await nowhere.wait()).code == 127
        assert "/no/such/folder" in host.text("cwd.log")


async def test_a_fork_calls_main_with_its_environment_only_and_no_descriptor_of_ours(folder: Path) -> None:
    async with running(folder) as (host, client):
        log = str(folder / "deep" / "fork.log")
        child = await client.fork("forked", env={"WORD": "warm", "CODE": "7"}, log_path=log, labels={})
        assert (await child.wait()).code == 7
        first, second = host.text("deep/fork.log").splitlines()
        assert first == "forked with warm ['CODE', 'WORD']"
        assert second in ("descriptors ['0', '1', '2', '3']",), "3 is the folder being listed"


async def test_only_preloaded_modules_can_be_forked(folder: Path) -> None:
    async with running(folder) as (_, client):
        with pytest.raises(HostError, match="antigravity"):
            await client.fork("antigravity", env={}, log_path=str(folder / "x.log"), labels={})


async def test_a_new_client_finds_what_runs_and_what_ended_meanwhile(folder: Path) -> None:
    async with running(folder) as (host, client):
        stays = await spawn(host, client, "sleep", "60", pod="a")
        ends = await spawn(host, client, "sh", "-c", "read nothing; exit 4", pod="b")
        await client.close()
        other = await host.client()
        found = {child.info.labels["pod"]: child for child in await other.processes()}
        assert found["a"].info == stays.info
        assert (await found["b"].wait()).code == 4
        await other.forget(found["b"])
        assert [child.info.id for child in await other.processes()] == [stays.info.id]
        assert ends.info.id == found["b"].info.id
        await other.close()


async def test_the_end_of_a_process_takes_what_it_left_behind_with_it(folder: Path) -> None:
    async with running(folder) as (host, client):
        child = await spawn(host, client, "sh", "-c", "sleep 61 & echo $!; exit 0")
        assert (await child.wait()).code == 0
        await until(lambda: not alive(int(host.text("out.log"))))


async def test_signals_reach_only_what_still_runs(folder: Path) -> None:
    async with running(folder) as (host, client):
        child = await spawn(host, client, "true")
        await child.wait()
        await client.signal(child, signal.SIGKILL)
        await client.signal(child, signal.SIGKILL, group=True)


async def test_a_signal_right_after_the_start_is_not_lost(folder: Path) -> None:
    async with running(folder) as (host, client):
        for _ in range(20):
            child = await spawn(host, client, "sleep", "60")
            await client.signal(child, signal.SIGKILL, group=True)
            assert (await child.wait()).signal == signal.SIGKILL


async def test_what_is_no_call_ends_the_connection_and_nothing_else(folder: Path) -> None:
    async with running(folder) as (host, client):
        for bad in (b"no json\n", b"[]\n"):
            reader, writer = await asyncio.open_unix_connection(host.path)
            writer.write(bad)
            assert await reader.read() == b""
            writer.close()
        reader, writer = await asyncio.open_unix_connection(host.path)
        writer.write(b'{"id": 1, "op": "dance"}\n{"id": 2, "op": "spawn"}\n')
        assert "dance" in json.loads(await reader.readline())["error"]
        assert "argv" in json.loads(await reader.readline())["error"]
        writer.close()
        assert await client.processes() == []


async def test_a_program_that_dies_is_started_again(folder: Path) -> None:
    script = f"echo start >> {folder}/starts; [ $(wc -l < {folder}/starts) -lt 3 ] && exit 5; sleep 60"
    program = {"name": "brain", "argv": ["/bin/sh", "-c", script], "env": ENV, "log_path": str(folder / "brain.log")}
    async with running(folder, programs=[program]) as (host, _):
        await until(lambda: host.text("starts").count("start") == 3)
        assert host.text("brain.log").count("ended with code 5") == 2


def test_restarts_come_at_once_and_then_ever_later() -> None:
    assert [restart_delay_s(ends) for ends in (1, 2, 3, 4)] == [0.0, 0.5, 1.0, 2.0]
    assert restart_delay_s(100) == RESTART_LAST_S


def _stops(folder: Path, name: str) -> str:
    return f"trap 'echo {name} >> {folder}/order; exit 0' TERM; touch {folder}/{name}.up; while :; do sleep 0.05; done"


async def test_a_stop_ends_programs_in_order_then_processes_and_leaves_none(folder: Path) -> None:
    programs = [
        {
            "name": name,
            "argv": ["/bin/sh", "-c", _stops(folder, name)],
            "env": ENV,
            "log_path": str(folder / f"{name}.log"),
            "stop_order": order,
        }
        for name, order in (("second", 1), ("first", 0))
    ]
    async with running(folder, programs=programs) as (host, client):
        await spawn(host, client, "sh", "-c", _stops(folder, "pod"))
        log = str(folder / "fork.log")
        await client.fork("forked", env={"STAY": "1"}, log_path=log, labels={})
        await until(lambda: all((folder / f"{name}.up").exists() for name in ("first", "second", "pod")))
        members = list(children(host.process.pid))
        host.process.send_signal(signal.SIGTERM)
        assert await host.ended() == 0
        assert host.text("order").split() == ["first", "second", "pod"]
        assert not any(map(alive, members))
        assert not Path(host.path).exists()


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(folder: Path) -> None:
    async with running(folder, pods_grace_s=0.2) as (host, client):
        child = await spawn(host, client, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
        await until(lambda: "up" in host.text("out.log"))
        host.process.send_signal(signal.SIGINT)
        assert await host.ended() == 1
        assert not alive(child.info.pid)


async def test_a_program_that_ignores_its_grace_is_killed_alone_and_the_next_still_ends_in_order(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    deaf = f"trap '' TERM; touch {folder}/deaf.up; while :; do sleep 0.05; done"
    programs = [
        {
            "name": name,
            "argv": ["/bin/sh", "-c", script],
            "env": ENV,
            "log_path": str(folder / f"{name}.log"),
            "stop_order": order,
        }
        for order, (name, script) in enumerate({"deaf": deaf, "second": _stops(folder, "second")}.items())
    ]
    async with running(folder, programs=programs, programs_grace_s=2.2) as (host, _):
        await until(lambda: all((folder / f"{name}.up").exists() for name in ("deaf", "second")))
        host.process.send_signal(signal.SIGTERM)
        assert await host.ended() == 1
        assert host.text("order").split() == ["second"]
    told = capfd.readouterr().out
    assert "draining; Ctrl-C again stops at once" in told
    assert "did not end within 2.2 s" in told


async def test_a_program_whose_log_cannot_be_written_is_tried_again_and_ends_nothing_else(folder: Path) -> None:
    log = folder / "brain.log"
    log.mkdir()
    program = {"name": "brain", "argv": ["/bin/sh", "-c", "echo up; sleep 60"], "env": ENV, "log_path": str(log)}
    async with running(folder, programs=[program]) as (host, client):
        child = await spawn(host, client, "sleep", "60")
        log.rmdir()
        await until(lambda: host.text("brain.log").endswith("up\n"))
        assert alive(child.info.pid)


async def test_a_log_path_that_is_none_is_refused_and_ends_nothing(folder: Path) -> None:
    async with running(folder) as (_, client):
        for path in ("/proc/none/out.log", "/tmp/\0"):
            with pytest.raises(HostError):
                await client.spawn(["true"], env=ENV, cwd="/", log_path=path, labels={})
        assert await client.processes() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who adopts orphans")
async def test_what_a_process_left_in_a_session_of_its_own_ends_with_the_host(folder: Path) -> None:
    async with running(folder) as (host, client):
        child = await spawn(host, client, "sh", "-c", "setsid sleep 62 & echo $!; sleep 60")
        await until(lambda: host.text("out.log").endswith("\n"))
        left = int(host.text("out.log"))
        await until(lambda: command_line(left) == "sleep 62")
        await client.signal(child, signal.SIGKILL, group=True)
        await child.wait()
        assert alive(left)
        host.process.send_signal(signal.SIGTERM)
        assert await host.ended() == 0
        assert not alive(left)


async def test_a_second_signal_kills_at_once(folder: Path) -> None:
    slow = "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done"
    program = {"name": "slow", "argv": ["/bin/sh", "-c", slow], "env": ENV, "log_path": str(folder / "slow.log")}
    async with running(folder, programs=[program]) as (host, client):
        child = await spawn(host, client, "sleep", "60")
        await until(lambda: "up" in host.text("slow.log"))
        host.process.send_signal(signal.SIGTERM)
        await until(lambda: "asked" in host.text("slow.log"))
        host.process.send_signal(signal.SIGTERM)
        assert await host.ended() == 1
        assert not alive(child.info.pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
async def test_nothing_outlives_a_killed_host(folder: Path) -> None:
    program = {"name": "brain", "argv": ["sleep", "60"], "env": ENV, "log_path": str(folder / "brain.log")}
    async with running(folder, programs=[program]) as (host, client):
        await spawn(host, client, "sleep", "60")
        await client.fork("forked", env={"STAY": "1"}, log_path=str(folder / "fork.log"), labels={})
        members = list(children(host.process.pid))
        assert len(members) == 3
        host.process.kill()
        await until(lambda: not any(map(alive, members)))
        await client.wait_lost()
        with pytest.raises(HostLost):
            await client.processes()


async def test_an_end_that_is_told_right_behind_the_list_is_not_lost(tmp_path: Path) -> None:
    """As of a process that dies just while a kubelet takes over: both lines come in one piece."""
    info, ended = ProcessInfo(7, 1234, {}, 0.0), Ended(137, 9, 1.0)

    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = json.loads(await reader.readline())
        listed = encode({"id": call["id"], "result": [info_to_obj(info)]})
        writer.write(listed + encode({"exit": 7, "ended": ended_to_obj(ended)}))

    server = await asyncio.start_unix_server(host, tmp_path / "host.sock")
    client = HostClient(str(tmp_path / "host.sock"))
    await client.connect()
    try:
        (child,) = await client.processes()
        async with asyncio.timeout(10):
            assert await child.wait() == ended
    finally:
        await client.close()
        server.close()
