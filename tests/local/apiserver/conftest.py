"""An API server that runs as it would for a user, and the real kubectl against it."""

from __future__ import annotations

import datetime
import os
import shutil
import ssl
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.local.apiserver.deletion import DeleteOptions
from swell.local.apiserver.http import HttpsServer, serve_https
from swell.local.apiserver.kubeconfig import read_token
from swell.local.apiserver.pki import make_pki
from swell.local.apiserver.server import ApiServer, bootstrap
from swell.local.apiserver.store import open_store
from swell.local.apiserver.writes import Caller
from swell.testing.clock import ManualClock

SERVING = Path(__file__).with_name("serving.py")
WIDGETS_PATH = "/apis/test.swell.dev/v1/namespaces/default/widgets"
WIDGETS = Path(__file__).with_name("widgets.yaml")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs the real kubectl in one namespace."""

    kubeconfig: Path
    namespace: str
    pid: int

    def __call__(self, *arguments: str, stdin: str | None = None, fails: bool = False) -> str:
        """What it prints to stdout; if it `fails`, as it must then, what it prints to both."""
        done = subprocess.run(
            ["kubectl", "-n", self.namespace, *arguments],
            input=stdin,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if fails else subprocess.PIPE,
            text=True,
            timeout=60,
        )
        if (done.returncode != 0) is not fails:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """As a process whose stdout is read line by line."""
        return subprocess.Popen(
            ["kubectl", "-n", self.namespace, *arguments], env=self.environ, stdout=subprocess.PIPE, text=True
        )

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.kubeconfig.parent)}


@dataclass(slots=True)
class Api:
    """An API server in this process, on a store in memory, under a clock that stands still."""

    clock: ManualClock
    server: ApiServer

    @property
    def caller(self) -> Caller:
        return Caller()

    @property
    def watchers(self) -> int:
        return self.server.watchers

    def create(self, kind: Kind, obj: Obj, namespace: str = "default", **caller: Any) -> Obj:
        return self.server.create(self.server.registry.of(kind), namespace, obj, Caller(**caller))

    def update(self, kind: Kind, obj: Obj, subresource: str = "", **caller: Any) -> Obj:
        meta = obj["metadata"]
        resource = self.server.registry.of(kind)
        return self.server.update(resource, meta.get("namespace", ""), meta["name"], obj, Caller(**caller), subresource)

    def get(self, kind: Kind, name: str, namespace: str = "default") -> Obj:
        return self.server.get(self.server.registry.of(kind), namespace, name)

    def delete(self, kind: Kind, name: str, namespace: str = "default", **options: Any) -> tuple[Obj, bool]:
        resource = self.server.registry.of(kind)
        return self.server.delete(resource, namespace, name, DeleteOptions(**options), Caller())


@pytest.fixture
def api() -> Api:
    """With the kind of `widgets.yaml` and the namespace default."""
    clock = ManualClock()
    server = ApiServer(open_store(":memory:"), clock=clock)
    bootstrap(server, [yaml.safe_load(WIDGETS.read_text())], ["default"])
    return Api(clock, server)


@dataclass(slots=True)
class Client:
    """Calls the front with the token, over TLS that is verified."""

    front: HttpsServer
    session: aiohttp.ClientSession
    context: ssl.SSLContext
    token: str

    def open(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.session.request(method, self.front.url + path, headers=headers, ssl=self.context, **options)

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.open(method, path, **options) as response:
            return response.status, await response.json(content_type=None)

    async def make(self, name: str = "one", **spec: Any) -> Any:
        status, made = await self.call(
            "POST", WIDGETS_PATH, json={"metadata": {"name": name}, "spec": {"size": 1, **spec}}
        )
        assert status == 201, made
        return made


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    make_pki(folder, datetime.datetime.now(datetime.UTC))
    return folder


@pytest.fixture
async def client(api: Any, pki: Path) -> AsyncIterator[Client]:
    front = await serve_https(api.server, host="127.0.0.1", port=0, pki=pki)
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    async with aiohttp.ClientSession() as session:
        yield Client(front, session, context, read_token(pki))
    await front.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The folder of a server that runs, and its process id."""
    folder = tmp_path_factory.mktemp("served")
    subprocess.run([sys.executable, "-P", "-m", "swell.local.apiserver.pki", str(folder / "pki")], check=True)
    process = subprocess.Popen([sys.executable, str(SERVING), str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("https://127.0.0.1:")
        yield folder, process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def kubectl(served: tuple[Path, int]) -> Kubectl:
    """In a namespace of its own."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on this machine")
    folder, pid = served
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    Kubectl(folder / "kubeconfig", "default", pid)("create", "namespace", namespace)
    return Kubectl(folder / "kubeconfig", namespace, pid)
