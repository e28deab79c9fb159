"""The configuration files of the node's parts; knows what stands in them, not who starts the parts.

JSON is YAML: what takes YAML gets JSON.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Final

from swell.api.meta import Obj
from swell.testing.node.layout import (
    API_PORT,
    CLUSTER_DOMAIN,
    CLUSTER_NETWORK,
    CONTAINERD_SOCKET,
    INSIDE,
    NODE_IP,
    PAUSE_IMAGE,
    POD_NETWORK,
    Layout,
)
from swell.testing.node.packages import CNI_PLUGINS

API_URL: Final = f"https://127.0.0.1:{API_PORT}"
# The admin's is for the tests.
USERS: Final = ("admin", "controller-manager", "scheduler", "kubelet", "proxy", "dns")


def write_configuration(layout: Layout) -> None:
    """Write all of it, for certificates that exist already."""
    files = {
        "containerd.toml": _containerd(layout),
        "cni/10-bridge.conflist": json.dumps(_network(layout)),
        "kubelet.yaml": json.dumps(_kubelet(layout)),
        "proxy.yaml": json.dumps(_proxy(layout)),
        "resolv.conf": f"nameserver {NODE_IP}\n",
        **{f"{user}.kubeconfig": json.dumps(_kubeconfig(layout.pki, user)) for user in USERS},
    }
    for name, content in files.items():
        path = layout.configuration / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600)


def _kubeconfig(pki: Path, user: str) -> Obj:
    def data(name: str) -> str:
        return base64.b64encode((pki / name).read_bytes()).decode()

    cluster = {"server": API_URL, "certificate-authority-data": data("ca.crt")}
    login = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "node",
        "clusters": [{"name": "node", "cluster": cluster}],
        "users": [{"name": user, "user": login}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": user, "namespace": "default"}}],
    }


def _containerd(layout: Layout) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{layout.inside(layout.state / "containerd")}"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  # Where root may not lower a score (no CAP_SYS_RESOURCE) pods would not start.
  restrict_oom_score_adj = true
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [{cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
  [{cri}.cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{layout.inside(layout.configuration / "cni")}"
"""


def _network(layout: Layout) -> Obj:
    addresses = {
        "type": "host-local",
        "dataDir": layout.inside(layout.state / "addresses"),
        "ranges": [[{"subnet": POD_NETWORK}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "bridge", "plugins": [bridge, ports]}


def _kubelet(layout: Layout) -> Obj:
    """As a real cluster has it, but for what this machine cannot give."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": layout.inside(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": layout.inside(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": layout.inside(layout.pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [NODE_IP],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": layout.inside(layout.configuration / "resolv.conf"),
        "podLogsDir": layout.inside(layout.logs / "pods"),
        "volumePluginDir": str(INSIDE / "state/volume-plugins"),
        "maxPods": 200,
        # A disk that others fill must neither evict pods nor remove images that no registry has.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
    }


def _proxy(layout: Layout) -> Obj:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": CLUSTER_NETWORK,
        "clientConnection": {"kubeconfig": layout.inside(layout.kubeconfig_of("proxy"))},
        # These limits belong to the machine, not to the node.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
