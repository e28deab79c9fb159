"""The Kubernetes programs of a node, built once from Go modules and kept outside of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from swell.testing.node.errors import MissingPrograms, NodeError

MODULE: Final = Path(__file__).parents[3] / "tests/kubernetes/binaries"
NODE_PROGRAMS: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
_VERSION: Final = re.compile(r"^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)\b", re.MULTILINE)
# Where Kubernetes looks for its own version; without them it says v0.0.0, and checks of versions fail.
_VERSION_PACKAGES: Final = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def cache_root() -> Path:
    """Where what is costly to make is kept: `SWELL_CACHE`, or `~/.cache/swell`."""
    return Path(os.environ.get("SWELL_CACHE") or Path.home() / ".cache/swell").absolute()


def node_programs() -> Path:
    """A folder with all `NODE_PROGRAMS`; the first call on a machine takes minutes. Raises `NodeError`."""
    return _built("node", NODE_PROGRAMS)


def provide_kubectl() -> None:
    """Have a `kubectl` in this process's PATH: the machine's, or else one that is built now. Raises `NodeError`."""
    if shutil.which("kubectl") is None:
        folder = _built("kubectl", ("kubectl",))
        os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{folder}"


def _built(name: str, programs: Sequence[str]) -> Path:
    version, folder = _place()
    found = folder / name
    if found.exists():
        return found
    folder.mkdir(parents=True, exist_ok=True)
    # Of two that come at once, one builds and the other waits.
    with _locked(folder / f"{name}.lock"):
        if not found.exists():
            _build(version, programs, found)
    return found


def _place() -> tuple[str, Path]:
    """The version in go.mod, and a folder for exactly these modules."""
    try:
        modules = (MODULE / "go.mod").read_bytes()
        sums = (MODULE / "go.sum").read_bytes()
    except OSError as exc:
        raise NodeError(f"the list of Kubernetes' modules is not there, run from a checkout: {exc}") from exc
    found = _VERSION.search(modules.decode())
    if found is None:
        raise NodeError(f"{MODULE / 'go.mod'} requires no version of k8s.io/kubernetes")
    digest = hashlib.sha256(modules + sums).hexdigest()[:12]
    return found[1], cache_root() / "kubernetes" / found[1] / digest


def _build(version: str, programs: Sequence[str], folder: Path) -> None:
    """Make `folder` with all of `programs` in one step."""
    if shutil.which("go") is None:
        raise MissingPrograms("Kubernetes is built from source: install Go (https://go.dev/dl), or name a cluster")
    print(f"building {', '.join(programs)} {version}; once, some minutes", file=sys.stderr)
    draft = Path(tempfile.mkdtemp(prefix="build-", dir=folder.parent))
    try:
        done = subprocess.run(
            build_command(version, programs, draft),
            cwd=MODULE,
            env={**os.environ, "CGO_ENABLED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NodeError(f"Kubernetes {version} cannot be built in {MODULE}:\n{done.stdout[-4000:]}")
        draft.chmod(0o755)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def build_command(version: str, programs: Sequence[str], output: Path) -> list[str]:
    """What builds `programs` into the folder `output`, run in `MODULE`."""
    major, minor, _ = version.removeprefix("v").split(".")
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "unknown",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    stamps = " ".join(f"-X {package}.{key}={value}" for package in _VERSION_PACKAGES for key, value in values.items())
    packages = [f"k8s.io/kubernetes/cmd/{program}" for program in programs]
    flags = ["-mod=readonly", "-trimpath", "-ldflags", f"-s -w {stamps}"]
    return ["go", "build", *flags, "-o", f"{output}/", *packages]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
