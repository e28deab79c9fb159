"""Where the parts of one node keep their files, seen from outside and from within its namespaces. Does no I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NODE_NAME: Final = "node1"
NODE_IP: Final = "10.88.88.1"
NODE_NETWORK: Final = "10.88.88.1/24"
GATEWAY_IP: Final = "10.88.88.254"
"""Nobody has it: what is sent out of the node is lost, but the kernel finds a route for it."""
POD_NETWORK: Final = "10.244.0.0/24"
CLUSTER_NETWORK: Final = "10.244.0.0/16"
SERVICE_NETWORK: Final = "10.96.0.0/16"
KUBERNETES_IP: Final = "10.96.0.1"
CLUSTER_DOMAIN: Final = "cluster.local"
API_PORT: Final = 6443
PAUSE_IMAGE: Final = "localhost/pause:1"

INSIDE: Final = Path("/run/node")
"""The node's folder as its parts see it: short and the same for all nodes, whatever the folder is called outside."""
CONTAINERD_SOCKET: Final = Path("/run/containerd/containerd.sock")


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of the node in `folder`, an absolute path."""

    folder: Path

    @property
    def logs(self) -> Path:
        """What the parts and the pods print; the only thing that outlives the node."""
        return self.folder / "logs"

    @property
    def state(self) -> Path:
        """Pods, images, etcd's data, keys, configuration: all that goes with the node."""
        return self.folder / "state"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def configuration(self) -> Path:
        return self.state / "configuration"

    @property
    def init(self) -> Path:
        """Which process the node hangs on."""
        return self.state / "init.json"

    @property
    def kubeconfig(self) -> Path:
        return self.kubeconfig_of("admin")

    @property
    def cgroup(self) -> str:
        """The name of the cgroup that the node's pods run in; no two folders share one."""
        return f"swell-node-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}"

    def kubeconfig_of(self, user: str) -> Path:
        return self.configuration / f"{user}.kubeconfig"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def pid(self, part: str) -> Path:
        """A file with the part's process id inside the node."""
        return self.state / "pids" / part

    def inside(self, path: Path) -> str:
        """A path below `folder` as the node's parts call it."""
        return str(INSIDE / path.relative_to(self.folder))
