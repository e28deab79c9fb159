"""A real ingress controller for the tests: Traefik, built once from Go modules. It serves Ingress and Gateway API.

Left out are its clients of 150 DNS services, where it can prove that a domain is its own: they are half of its build.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from swell.testing.node.binaries import cache_root
from swell.testing.node.errors import MissingPrograms, NodeError, tail

MODULE: Final = Path(__file__).parents[2] / "tests/kubernetes/ingress"
INGRESS_CONTROLLER: Final = "traefik.io/ingress-controller"
GATEWAY_CONTROLLER: Final = "traefik.io/gateway-controller"
_PACKAGE: Final = "github.com/traefik/traefik/v3/cmd/traefik"
_GATEWAY_API: Final = "sigs.k8s.io/gateway-api"
_LEGO: Final = "github.com/go-acme/lego/v4"
_DNS_PROVIDERS: Final = "providers/dns/zz_gen_dns_providers.go"


def program() -> Path:
    """The program; the first call on a machine takes minutes. Raises `NodeError`."""
    digest = hashlib.sha256()
    for source in ("go.mod", "go.sum", "dns/dns.go"):
        digest.update((MODULE / source).read_bytes())
    folder = cache_root() / "traefik" / digest.hexdigest()[:12]
    built = folder / "traefik"
    if not built.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as draft:
            _build(Path(draft)).replace(built)
    return built


def gateway_api_crds() -> Path:
    """A folder with the CRDs of the Gateway API's standard channel, in the version that Traefik uses."""
    return _downloaded(_GATEWAY_API) / "config/crd/standard"


@contextmanager
def running(kubeconfig: Path, log: Path) -> Iterator[None]:
    """Traefik in the network of the calling thread, where it serves port 80 for the cluster of `kubeconfig`."""
    command = [
        str(program()),
        "--entrypoints.web.address=:80",
        "--providers.kubernetesingress",
        "--providers.kubernetesgateway",
        "--global.checknewversion=false",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "KUBECONFIG": str(kubeconfig)}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield
        if process.poll() is not None:
            raise NodeError(f"Traefik has ended; the end of {log}:\n{tail(log)}")
    finally:
        process.kill()
        process.wait()


def _build(draft: Path) -> Path:
    print("building Traefik; once, some minutes", file=sys.stderr)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(MODULE / name, draft / name)
    lego = shutil.copytree(_downloaded(_LEGO), draft / "lego", copy_function=shutil.copyfile)
    for folder, _, _ in os.walk(lego):
        os.chmod(folder, 0o755)  # modules are kept read-only
    shutil.copyfile(MODULE / "dns/dns.go", lego / _DNS_PROVIDERS)
    # Not optimized, and nothing for debuggers: it builds in half the time.
    flags = ["-mod=readonly", "-trimpath", "-gcflags=all=-N -l -dwarf=false", "-ldflags=-s -w"]
    _go("build", *flags, "-o", str(draft / "traefik"), _PACKAGE, folder=draft)
    return draft / "traefik"


def _downloaded(module: str) -> Path:
    """The module's folder, in the version that go.mod requires."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise NodeError(f"{MODULE / 'go.mod'} requires no {module}")
    # Outside of any module: go.mod names a folder that is not there yet.
    with tempfile.TemporaryDirectory() as folder:
        told: Any = json.loads(_go("mod", "download", "-json", f"{module}@{found[1]}", folder=Path(folder)))
    return Path(told["Dir"])


def _go(*arguments: str, folder: Path) -> str:
    if shutil.which("go") is None:
        raise MissingPrograms("the ingress controller is built from source: install Go (https://go.dev/dl)")
    environ = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(["go", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"go {' '.join(arguments)} fails in {folder}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout
