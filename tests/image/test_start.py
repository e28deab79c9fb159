"""How the image runs its programs: out of a bundle or as they lie."""

from __future__ import annotations

import _sre
import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from image.bundle import patterns
from image.rootfs import BUNDLED, BUNDLED_MODULES
from swell.testing.certificates import certify
from swell.testing.peers import App, Caller, call
from swell.testing.processes import rss_mb
from swell.testing.sidecar import sidecar

PROJECT = Path(__file__).parents[2]
PYTHON = (sys.executable, "-S", "-P")
TCP = json.dumps({"tcpSocket": {"port": 0}})
PART = """
import queue, re
compiled = (str, "t(h)ere", 0) in re._cache
WORD = re.compile("t(h)ere").match("there")[0]
"""
MAIN = """
import queue, sys
from program import part
def main():
    loaded = "Queue" in vars(queue)
    print(__name__, sys.argv, part.WORD, part.__file__, loaded, part.compiled, queue.Queue().qsize())
    return 3
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Where bundles are looked for: beside this."""
    return Path(shutil.copy(PROJECT / "image/start.py", tmp_path))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    package = tmp_path / "root/site/program"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "part.py").write_text(PART)
    (package / "__main__.py").write_text(MAIN)
    return package


def run(*arguments: object, path: Path) -> tuple[int, str]:
    command = [*PYTHON, *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(path)}, stdout=subprocess.PIPE, text=True)
    return done.returncode, done.stdout


def test_a_program_without_a_bundle_runs_as_with_m(start: Path, sources: Path) -> None:
    code, told = run(start, "program", "word", path=sources.parent)
    main = str(sources / "__main__.py")
    assert (code, told) == (3, f"__main__ {[main, 'word']} there {sources / 'part.py'} True False 0\n")


def test_a_program_runs_out_of_its_bundle_alone(start: Path, sources: Path) -> None:
    root = start.with_name("root")
    assert (
        run(PROJECT / "image/bundle.py", start.with_name("program.bundle"), "program", root, path=sources.parent)[0]
        == 0
    )
    shutil.rmtree(root)
    code, told = run(start, "program", "word", path=sources.parent)
    # Where the source will lie in the image.
    assert (code, told) == (3, "program.__main__ ['program', 'word'] there /site/program/part.py False True 0\n")


def test_patterns_are_kept_as_re_compiles_them() -> None:
    kept = patterns()
    assert len(kept) > 20
    for text, flags, how in kept:
        assert _sre.compile(*how) == re.compile(text, flags), text


@pytest.fixture
def command(start: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What runs a queue-proxy out of its bundle, for Python."""
    path = os.pathsep.join((str(PROJECT), sysconfig.get_path("purelib")))
    monkeypatch.setenv("PYTHONPATH", path)
    bundle = start.with_name(f"{BUNDLED}.bundle")
    subprocess.run([*PYTHON, PROJECT / "image/bundle.py", bundle, BUNDLED_MODULES], check=True)
    return (*PYTHON[1:], str(start), BUNDLED)


def has_ssl(pid: int) -> bool:
    return "/_ssl." in Path(f"/proc/{pid}/maps").read_text()


async def test_a_queue_proxy_runs_out_of_its_bundle(command: tuple[str, ...]) -> None:
    app = App()
    await app.start()
    async with sidecar(app, command, SERVING_READINESS_PROBE=TCP, SWELL_DRAIN_QUIET_S="0") as qp:
        assert (await call(qp.address)).status == 200
        assert rss_mb(qp.process.pid) < 30
        assert not has_ssl(qp.process.pid)
        qp.terminate()
        assert await qp.ended() == 0


async def test_out_of_its_bundle_a_queue_proxy_takes_tls(command: tuple[str, ...], tmp_path: Path) -> None:
    certify(tmp_path, "hello")
    app = App()
    await app.start()
    async with sidecar(app, command, SERVING_READINESS_PROBE=TCP, SWELL_CERTIFICATES=str(tmp_path)) as qp:
        assert has_ssl(qp.process.pid)
        tls = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
        caller = Caller(*await asyncio.open_connection(*qp.tls, ssl=tls, server_hostname="hello"))
        caller.send()
        assert (await caller.answer()).status == 200


async def test_out_of_its_bundle_a_queue_proxy_probes_over_tls(command: tuple[str, ...], tmp_path: Path) -> None:
    certify(tmp_path, "hello")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    app = App()
    await app.start()

    async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(healthy, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        probe = json.dumps({"httpGet": {"port": port, "scheme": "HTTPS"}})
        async with sidecar(app, command, SERVING_READINESS_PROBE=probe) as qp:
            assert (await call(qp.address)).status == 200
