"""A real Kubernetes node with its control plane, alone in its namespaces: started, asked, broken and removed.

    node = Node.start(folder)
    node.load(image_tar)
    with node.enter():
        subprocess.run(["kubectl", "--kubeconfig", node.kubeconfig, "get", "nodes"])
    node.stop()

All that it is hangs on one process that is written down in its folder: whoever has the folder can end it, also after
the process that started it was killed. Several nodes on one machine share nothing but its kernel.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from swell.testing.node import binaries, cgroups, health, images, packages, sandbox
from swell.testing.node.configuration import write_configuration
from swell.testing.node.errors import NodeError, tail
from swell.testing.node.layout import CONTAINERD_SOCKET, NODE_IP, Layout
from swell.testing.node.parts import Part, parts
from swell.testing.node.pki import make_pki
from swell.testing.node.sandbox import Process, Sandbox

PART_READY_S: Final = 60.0
PODS_READY_S: Final = 60.0
IMAGE_KNOWN_S: Final = 30.0
POLL_S: Final = 0.05
# Containerd's name for images that the kubelet can see.
_MANAGED: Final = "io.cri-containerd.image=managed"


class Node:
    """The running node of a folder; made by `start`, found again by `at`."""

    def __init__(self, layout: Layout, inside: Sandbox) -> None:
        self._layout = layout
        self._sandbox = inside
        self._parts = parts(layout, binaries.node_programs())

    @classmethod
    def start(cls, folder: Path) -> Node:
        """Start a node that takes pods; what an earlier one left in `folder` goes first. Raises `NodeError`."""
        packages.provide()
        binaries.node_programs()
        stop(folder)
        layout = Layout(folder.resolve())
        try:
            return cls._start(layout)
        except BaseException:
            stop(folder)
            raise

    @classmethod
    def at(cls, folder: Path) -> Node:
        """The node that runs in `folder`. Raises `NodeError` if none does."""
        layout = Layout(folder.resolve())
        inside = Sandbox.find(layout.init)
        if inside is None:
            raise NodeError(f"no node runs in {layout.folder}: start one with `python -m swell.testing.node up`")
        return cls(layout, inside)

    @property
    def kubeconfig(self) -> Path:
        """Works in the node's network only."""
        return self._layout.kubeconfig

    @property
    def ip(self) -> str:
        """The node's address, where node ports answer; the same for all nodes, each in its own network."""
        return NODE_IP

    @property
    def init(self) -> Process:
        """The process below which all others of the node are."""
        return self._sandbox.init

    @property
    def logs(self) -> Path:
        """A folder with a log per part, and `pods/` with those of all containers; it stays after `stop`."""
        return self._layout.logs

    def enter(self) -> AbstractContextManager[None]:
        """The calling thread, and the threads and processes that it starts, are in the node's network."""
        return self._sandbox.enter()

    def load(self, image_tar: Path) -> None:
        """Have the images of a docker-archive on the node; returns once pods can use them."""
        self._ctr("images", "import", str(image_tar))
        for name in images.references(image_tar):
            self._wait(partial(self._knows, name), IMAGE_KNOWN_S, "containerd", f"does not show {name}")

    def tag(self, image: str, name: str) -> None:
        """Have an image that the node has under one more name; returns once pods can use it."""
        self._ctr("images", "tag", image, name)
        self._wait(lambda: self._knows(name), IMAGE_KNOWN_S, "containerd", f"does not show {name}")

    def stop(self) -> None:
        """End and remove all of it but the logs."""
        stop(self._layout.folder)

    def start_part(self, name: str) -> None:
        """Start a part that does not run; returns once it works. Raises `NodeError`, with its log's last lines."""
        part = self._part(name)
        self._launch(part)
        self._wait_ready(part)

    def stop_part(self, name: str) -> None:
        """Kill a part, as a crash would; returns once it has ended."""
        process = self.process(name)
        if process is not None:
            process.kill()

    def restart_followers(self) -> None:
        """Start anew what follows the API server, but for the kubelet, whose pods would notice.

        After it was away, by themselves, they ask for it again up to a minute later, kind by kind, and once more if it
        was not all there yet: so long nothing comes of a new Deployment or Service.
        """
        for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy"):
            self.stop_part(name)
            self.start_part(name)

    def process(self, name: str) -> Process | None:
        """The process of a part, or None if it does not run."""
        self._part(name)
        try:
            number = int(self._layout.pid(name).read_text())
        except (FileNotFoundError, ValueError):
            return None  # not started
        return self._sandbox.process(number)

    @classmethod
    def _start(cls, layout: Layout) -> Node:
        shutil.rmtree(layout.logs, ignore_errors=True)
        for folder in (layout.logs, layout.state / "pids", layout.state / "tmp"):
            folder.mkdir(parents=True)
        cgroups.make(layout.cgroup)
        node = cls(layout, Sandbox.make(layout.folder, layout.init))
        make_pki(layout.pki, datetime.datetime.now(datetime.UTC))
        write_configuration(layout)
        node._start_parts()
        return node

    def _start_parts(self) -> None:
        first = [self._parts[name] for name in ("etcd", "containerd", "kube-apiserver")]
        others = [part for part in self._parts.values() if part not in first]
        for part in first:
            self._launch(part)
        self._wait_ready(self._parts["containerd"])
        self._load_pause()
        self._wait_ready(self._parts["kube-apiserver"])
        for part in others:
            self._launch(part)
        for part in others:
            self._wait_ready(part)
        takes_pods = partial(health.takes_pods, self._layout.pki)
        self._wait(partial(self._asks, takes_pods), PODS_READY_S, "kubelet", "has no node that takes pods")

    def _load_pause(self) -> None:
        tar = self._layout.state / "pause.tar"
        images.write_pause(tar)
        self.load(tar)

    def _launch(self, part: Part) -> None:
        layout = self._layout
        if self.process(part.name) is not None:
            raise NodeError(f"{part.name} runs already")
        environ = {
            "PATH": packages.SEARCHED,
            "HOME": layout.inside(layout.state),
            "TMPDIR": layout.inside(layout.state / "tmp"),
        }
        log, pid = layout.inside(layout.log(part.name)), layout.inside(layout.pid(part.name))
        self._sandbox.start(part.command, environ, log, pid)
        process = self.process(part.name)
        if process is not None:
            cgroups.join_system(layout.cgroup, process.pid)

    def _wait_ready(self, part: Part) -> None:
        self._wait(partial(self._ready, part), PART_READY_S, part.name, "does not get ready")

    def _ready(self, part: Part) -> bool:
        if part.name == "containerd":
            return health.listens(self._containerd_socket)
        return self._asks(health.resolves if part.name == "dns" else partial(health.answers, part.health))

    def _asks(self, question: Callable[[], bool]) -> bool:
        with self._sandbox.enter():
            return question()

    def _wait(self, done: Callable[[], bool], timeout_s: float, name: str, complaint: str) -> None:
        """Until `done`; a part that ends meanwhile, or none of it in time, is an error that shows its log."""
        deadline = time.monotonic() + timeout_s
        while not done():
            ended = self.process(name) is None
            if ended or time.monotonic() > deadline:
                what = "ended" if ended else f"{complaint} within {timeout_s:.0f} s"
                log = self._layout.log(name)
                raise NodeError(f"{name} {what}; the end of {log}:\n{tail(log)}")
            time.sleep(POLL_S)

    @property
    def _containerd_socket(self) -> Path:
        """As seen from here."""
        return Path(f"/proc/{self._sandbox.init.pid}/root{CONTAINERD_SOCKET}")

    def _knows(self, image: str) -> bool:
        return _MANAGED in self._ctr("images", "list", f"name=={image}")

    def _ctr(self, *arguments: str) -> str:
        done = subprocess.run(
            ["ctr", f"--address={self._containerd_socket}", "--namespace=k8s.io", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NodeError(f"ctr {' '.join(arguments)} fails:\n{done.stdout}")
        return done.stdout

    def _part(self, name: str) -> Part:
        part = self._parts.get(name)
        if part is None:
            raise NodeError(f"a node has no part {name!r}; it has {', '.join(self._parts)}")
        return part


def stop(folder: Path) -> None:
    """End and remove the node in `folder`, whole or half; its logs stay. Harmless if there is none."""
    layout = Layout(folder.resolve())
    sandbox.end(layout.init)
    cgroups.remove(layout.cgroup)
    with suppress(FileNotFoundError):
        shutil.rmtree(layout.state)
