"""The programs that a node needs of this machine, and the Debian packages that hold them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from swell.testing.node.errors import MissingPrograms

CNI_PLUGINS: Final = Path("/usr/lib/cni")
BUSYBOX: Final = Path("/bin/busybox")
SEARCHED: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS: Final = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "busybox": "busybox-static",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
}


def missing() -> list[str]:
    """The Debian packages that have to be installed first, sorted."""
    lacking = {package for program, package in _PROGRAMS.items() if shutil.which(program, path=SEARCHED) is None}
    if not (CNI_PLUGINS / "bridge").exists():
        lacking.add("containernetworking-plugins")
    return sorted(lacking)


def provide() -> None:
    """Install what is missing. Raises `MissingPrograms` if we are not root, or apt-get cannot do it."""
    if os.geteuid() != 0:
        raise MissingPrograms("a node of its own needs root: run as root, or name a cluster in SWELL_TEST_KUBECONFIG")
    packages = missing()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise MissingPrograms(f"a node needs what Debian has in {' '.join(packages)}: install it, or name a cluster")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        _apt_get(command, packages)
    if still := missing():
        raise MissingPrograms(f"apt-get installed {' '.join(packages)}, but there is still no {' '.join(still)}")


def _apt_get(arguments: list[str], packages: list[str]) -> None:
    done = subprocess.run(
        ["apt-get", "--quiet", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MissingPrograms(
            f"a node needs the Debian packages {' '.join(packages)}, and apt-get {arguments[0]} fails:\n{done.stdout}"
        )
