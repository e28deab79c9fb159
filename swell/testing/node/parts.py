"""The parts of a node: how each is started, and where it says that it works. Starts nothing itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swell.testing.node.layout import (
    API_PORT,
    CLUSTER_NETWORK,
    NODE_IP,
    NODE_NAME,
    SERVICE_NETWORK,
    Layout,
)

ETCD_URL: Final = "http://127.0.0.1:2379"


@dataclass(frozen=True, slots=True)
class Part:
    """One program. `health` is a URL inside the node that answers 200 once it works, or "" where there is none."""

    name: str
    command: tuple[str, ...]
    health: str


def parts(layout: Layout, binaries: Path) -> Mapping[str, Part]:
    """All of them by name, in the order in which they need each other."""
    all_parts = (
        _etcd(layout),
        _containerd(layout),
        _api_server(layout, binaries),
        _controller_manager(layout, binaries),
        _scheduler(layout, binaries),
        _kubelet(layout, binaries),
        _proxy(layout, binaries),
        _dns(layout),
    )
    return {part.name: part for part in all_parts}


def _etcd(layout: Layout) -> Part:
    command = (
        "etcd",
        f"--data-dir={layout.inside(layout.state / 'etcd')}",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        # What it holds dies with the node.
        "--unsafe-no-fsync",
    )
    return Part("etcd", command, f"{ETCD_URL}/health")


def _containerd(layout: Layout) -> Part:
    command = ("containerd", "--config", layout.inside(layout.configuration / "containerd.toml"))
    return Part("containerd", command, "")


def _api_server(layout: Layout, binaries: Path) -> Part:
    def pki(name: str) -> str:
        return layout.inside(layout.pki / name)

    command = (
        str(binaries / "kube-apiserver"),
        f"--etcd-servers={ETCD_URL}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={NODE_IP}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--tls-cert-file={pki('apiserver.crt')}",
        f"--tls-private-key-file={pki('apiserver.key')}",
        f"--client-ca-file={pki('ca.crt')}",
        f"--kubelet-client-certificate={pki('apiserver-kubelet.crt')}",
        f"--kubelet-client-key={pki('apiserver-kubelet.key')}",
        # Its name cannot be resolved.
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki('ca.crt')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki('front-proxy.crt')}",
        f"--proxy-client-key-file={pki('front-proxy.key')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki('accounts.pub')}",
        f"--service-account-signing-key-file={pki('accounts.key')}",
        "--authorization-mode=Node,RBAC",
        # Beside those that are on by default, as kubeadm has it.
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
    )
    return Part("kube-apiserver", command, f"https://127.0.0.1:{API_PORT}/readyz")


def _controller_manager(layout: Layout, binaries: Path) -> Part:
    command = (
        str(binaries / "kube-controller-manager"),
        *_logins(layout, "controller-manager"),
        f"--service-account-private-key-file={layout.inside(layout.pki / 'accounts.key')}",
        f"--root-ca-file={layout.inside(layout.pki / 'ca.crt')}",
        f"--cluster-signing-cert-file={layout.inside(layout.pki / 'ca.crt')}",
        f"--cluster-signing-key-file={layout.inside(layout.pki / 'ca.key')}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        f"--cluster-cidr={CLUSTER_NETWORK}",
        "--allocate-node-cidrs=true",
    )
    return Part("kube-controller-manager", command, "https://127.0.0.1:10257/healthz")


def _scheduler(layout: Layout, binaries: Path) -> Part:
    command = (str(binaries / "kube-scheduler"), *_logins(layout, "scheduler"), "--leader-elect=false")
    return Part("kube-scheduler", command, "https://127.0.0.1:10259/readyz")


def _kubelet(layout: Layout, binaries: Path) -> Part:
    command = (
        str(binaries / "kubelet"),
        f"--config={layout.inside(layout.configuration / 'kubelet.yaml')}",
        f"--kubeconfig={layout.inside(layout.kubeconfig_of('kubelet'))}",
        f"--root-dir={layout.inside(layout.state / 'kubelet')}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_IP}",
    )
    return Part("kubelet", command, "http://127.0.0.1:10248/healthz")


def _proxy(layout: Layout, binaries: Path) -> Part:
    command = (
        str(binaries / "kube-proxy"),
        f"--config={layout.inside(layout.configuration / 'proxy.yaml')}",
        f"--hostname-override={NODE_NAME}",
    )
    return Part("kube-proxy", command, "http://127.0.0.1:10256/healthz")


def _dns(layout: Layout) -> Part:
    kubeconfig = layout.inside(layout.kubeconfig_of("dns"))
    command = (sys.executable, "-P", "-m", "swell.testing.node.dns", kubeconfig, NODE_IP)
    return Part("dns", command, "")


def _logins(layout: Layout, user: str) -> tuple[str, ...]:
    kubeconfig = layout.inside(layout.kubeconfig_of(user))
    return tuple(f"--{what}kubeconfig={kubeconfig}" for what in ("", "authentication-", "authorization-"))
