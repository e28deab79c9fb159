"""Swell on a real Kubernetes cluster, for tests and benches: a node made for it, or a cluster that is there.

Knows images, `swell install` and where the front door is; what runs on it is told in `swell.testing.home`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swell.runtime.errors import SwellError
from swell.testing.home import Home
from swell.testing.node.node import Node

CHECKOUT: Final = Path(__file__).resolve().parents[2]
KUBECONFIG: Final = "SWELL_TEST_KUBECONFIG"
DOMAIN: Final = "swell.test"
NODE_PORT: Final = 30080
IMAGE: Final = "dev.local/swell:1"
# Of the bridge that joins the node and its pods: what comes in by a node port seems to come from there.
BRIDGE_IP: Final = "10.244.0.1"


class NotOurs(unittest.SkipTest):
    """Something that tests cannot do to a cluster that they have not made."""


@dataclass(frozen=True, slots=True)
class ClusterImages:
    """Images that the nodes have, or can pull. `node`: the only one, if it is ours."""

    app: str = "dev.local/e2e-app:1"
    hello: str = "dev.local/hello:1"
    go_hello: str = "dev.local/go-hello:1"
    grpc: tuple[str, ...] = ("/usr/bin/python3", "-S", "-P", "/app/grpc_app.py")
    complaint: str = "pull"
    node: Node | None = None

    def named(self, name: str) -> str:
        return f"dev.local/{name}:1"

    def provide(self, image: str) -> None:
        if self.node is None:
            raise NotOurs(f"{image} cannot be put on the nodes of {KUBECONFIG}'s cluster")
        self.node.tag(self.app, image)


@dataclass(frozen=True, slots=True)
class Installed:
    """A cluster with Swell on it. `node` is None for one that was there before."""

    home: Home
    images: ClusterImages
    image: str
    node: Node | None = None
    options: tuple[str, ...] = ()

    def install(self, *more: str) -> str:
        """`swell install` again, with further options; returns what it printed."""
        return swell(self.home.kubeconfig, "install", "--image", self.image, *self.options, *more)


@contextmanager
def installed(folder: Path) -> Iterator[Installed]:
    """Swell on a node made for it in `folder`; the calling thread is in its network meanwhile.

    Raises `SwellError`: what is missing, or which part fails.
    """
    archives = write_images(folder / "images")
    node = Node.start(folder / "node")
    try:
        with node.enter():
            yield install_on(node, archives)
    finally:
        node.stop()


def write_images(folder: Path) -> list[Path]:
    """All of our images as docker-archive tars. Packages are downloaded: no node's network has what that needs."""
    return [Path(line) for line in _run([sys.executable, "-m", "image", "--output", str(folder)], cwd=CHECKOUT).split()]


def install_on(node: Node, archives: list[Path]) -> Installed:
    """Swell, from these archives, on this node, which the calling thread has entered."""
    for archive in archives:
        node.load(archive)
    images = ClusterImages(node=node)
    home = Home(f"{node.ip}:{NODE_PORT}", f"{DOMAIN}:{NODE_PORT}", node.kubeconfig, images, caller=BRIDGE_IP)
    options = ("--domain", DOMAIN, "--service-type", "NodePort", "--external-port", str(NODE_PORT))
    cluster = Installed(home, images, IMAGE, node, options)
    cluster.install()
    return cluster


@contextmanager
def installed_elsewhere(kubeconfig: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Installed]:
    """Swell on a cluster that is there, removed at the end.

    SWELL_TEST_IMAGE (all programs) and SWELL_TEST_GATEWAY (IP:PORT of the front door) say how; and, where they differ
    from what a node of our own has, SWELL_TEST_APP_IMAGE, SWELL_TEST_HELLO_IMAGE and SWELL_TEST_CALLER (the address
    that apps see of us).
    """
    image, gateway = environ.get("SWELL_TEST_IMAGE"), environ.get("SWELL_TEST_GATEWAY")
    if not image or not gateway:
        raise SwellError(f"with {KUBECONFIG}, set SWELL_TEST_IMAGE=IMAGE and SWELL_TEST_GATEWAY=IP:PORT too")
    stock = ClusterImages()
    images = ClusterImages(
        app=environ.get("SWELL_TEST_APP_IMAGE") or stock.app,
        hello=environ.get("SWELL_TEST_HELLO_IMAGE") or stock.hello,
    )
    port = gateway.rpartition(":")[2]
    home = Home(gateway, f"{DOMAIN}:{port}", kubeconfig, images, caller=environ.get("SWELL_TEST_CALLER", ""))
    options = ("--domain", DOMAIN, "--service-type", "NodePort", "--external-port", port)
    cluster = Installed(home, images, image, None, options)
    cluster.install()
    try:
        yield cluster
    finally:
        swell(kubeconfig, "uninstall", "--yes")


def swell(kubeconfig: Path, *arguments: str) -> str:
    """Run the command on that cluster; returns what it printed. Raises `SwellError` if it fails."""
    environ = {**os.environ, "KUBECONFIG": str(kubeconfig), "COLUMNS": "200"}
    return _run([sys.executable, "-m", "swell.cli.main", *arguments], env=environ)


def _run(command: list[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SwellError(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stdout}")
    return done.stdout
