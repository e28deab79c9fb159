"""Debian's packages: which ones hold Python and what it needs, fetched and unpacked. Knows nothing of Swell."""

from __future__ import annotations

import fnmatch
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swell.runtime.errors import SwellError

# What CPython 3.11 and the wheels link to, and nothing else: no shell, no package manager.
PACKAGES: Final = (
    "base-files",
    "ca-certificates",
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "python3.11-minimal",
    "tini",
    "zlib1g",
)
PYTHON_LIBRARY: Final = "usr/lib/python3.11"
KEPT: Final = (
    "etc/os-release",
    "lib/*",
    "lib64/*",
    "usr/bin/python3.11",
    "usr/bin/tini-static",
    "usr/lib/os-release",
    "usr/lib/python3.11/*",
    "usr/lib/*-linux-gnu/*",
    "usr/share/ca-certificates/mozilla/*",
    "usr/share/doc/*/copyright",
)
# Of what is kept: other character sets of the C library, and parts of Python that draw, build, test or teach,
# or whose libraries are not there.
DROPPED: Final = (
    "*/__pycache__/*",
    "*/gconv/*",
    "*/libthread_db*",
    "*/xx*.so",
    *(
        f"{PYTHON_LIBRARY}/{name}"
        for name in (
            "config-3.11-*",
            "curses/*",
            "dbm/*",
            "distutils/*",
            "ensurepip/*",
            "idlelib/*",
            "lib2to3/*",
            "pydoc_data/*",
            "sitecustomize.py",
            "sqlite3/*",
            "test/*",
            "tkinter/*",
            "turtle.py",
            "turtledemo/*",
            "venv/*",
        )
    ),
    *(
        f"{PYTHON_LIBRARY}/lib-dynload/{name}.*"
        for name in ("_crypt", "_ctypes_test", "_curses*", "_dbm", "_gdbm", "_sqlite3", "_test*", "nis", "readline")
    ),
)
AUTHORITIES: Final = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Package:
    """A package as apt would fetch it now: the file's name, which holds the version, and the SHA-256 of its content."""

    file: str
    digest: str


def candidates() -> tuple[Package, ...]:
    """The newest version of each package that this machine's apt knows. Raises `SwellError`."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SwellError(f"{tool} is missing: images are made on Debian 12; elsewhere build the Containerfile")
    command = ["apt-get", "download", "--print-uris", *PACKAGES]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "--quiet"], capture_output=True, check=False)
        listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        raise SwellError(
            f"apt does not know all packages of the image: {listed.stderr.strip()}\n"
            "They are those of Debian 12 (bookworm): run `apt-get update` there, or build the Containerfile"
        )
    lines = re.findall(r"^'[^']+' (\S+) \d+ SHA256:(\w+)$", listed.stdout, re.MULTILINE)
    return tuple(sorted((Package(file, digest) for file, digest in lines), key=lambda package: package.file))


def unpack(tree: Path, downloads: Path) -> None:
    """Fetch the packages into `downloads` and put what is kept of them into `tree`."""
    # apt would change to a user that cannot write there.
    fetch = ["apt-get", "download", "--quiet", "-o", "APT::Sandbox::User=root", *PACKAGES]
    done = subprocess.run(fetch, cwd=downloads, capture_output=True, text=True)
    if done.returncode:
        raise SwellError(f"apt could not fetch the packages of the image: {done.stderr.strip()}")
    status = tree / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for file in sorted(downloads.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", file, tree], check=True)
        control = subprocess.run(["dpkg-deb", "--field", file], check=True, capture_output=True).stdout
        # Where scanners for known holes look in images without dpkg.
        (status / file.name.partition("_")[0]).write_bytes(control)
    _join_authorities(tree)
    prune(tree, (*KEPT, "var/lib/dpkg/status.d/*", AUTHORITIES), (*DROPPED, "usr/share/ca-certificates/*"))


def prune(tree: Path, kept: tuple[str, ...], dropped: tuple[str, ...] = ()) -> None:
    """Remove all files whose path matches none of `kept` or one of `dropped`, and folders left empty."""
    for folder, _, files in os.walk(tree, topdown=False):
        for name in files:
            path = Path(folder, name)
            inside = path.relative_to(tree).as_posix()
            if not _matches(inside, kept) or _matches(inside, dropped):
                path.unlink()
        below = Path(folder)
        if below != tree and not below.is_symlink() and not any(below.iterdir()):
            below.rmdir()


def loader(tree: Path) -> list[str]:
    """The start of a command that runs a program of `tree` with the libraries of `tree`, where it lies."""
    machine = platform.machine()
    name = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}.get(machine)
    if name is None:
        raise SwellError(f"images are made for x86_64 and aarch64; this machine is {machine}")
    triplet = f"{machine}-linux-gnu"
    # The loader is an absolute link in the tree's own view.
    real = tree / "lib" / triplet / Path(name).name
    return [str(real), "--library-path", f"{tree}/lib/{triplet}:{tree}/usr/lib/{triplet}"]


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _join_authorities(tree: Path) -> None:
    """What ca-certificates does when it is installed: one file of all certificates."""
    joined = tree / AUTHORITIES
    joined.parent.mkdir(parents=True, exist_ok=True)
    parts = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
