"""Wheels for the image's Python: the project's own and those it needs, installed into a folder by pip."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from image.debian import prune
from swell.runtime.errors import SwellError

PYTHON_VERSION: Final = "3.11"
# Debian 12 has glibc 2.36; pip takes each tag literally.
PLATFORMS: Final = ("manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
# Needed by the command line only, which no pod runs.
COMMAND_LINE: Final = frozenset({"kubernetes_asyncio", "rich", "typer"})
DROPPED: Final = (
    "bin/*",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "pyproject.toml",
    "*/tests/*",
    "*.pyi",
    "*.pyx",
    "*.pxd",
    "*.h",
    "*.a",
    "*.lib",
    "*.c",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/INSTALLER",
    "*.dist-info/direct_url.json",
    "*.dist-info/sboms/*",
    "numpy/_core/_*tests.*.so",
    "numpy/_core/_simd.*.so",
    "numpy/distutils/*",
    "numpy/f2py/*",
    "numpy/_pyinstaller/*",
    "pycparser/*",
)


def requirements(project: Path) -> list[str]:
    """What the programs need at run time, as pyproject.toml of `project` states it."""
    stated = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    return sorted(line for line in stated if _name(line) not in COMMAND_LINE)


def test_requirement(project: Path, name: str) -> str:
    """What the tests need of that package, as pyproject.toml of `project` states it."""
    stated = tomllib.loads((project / "pyproject.toml").read_text())["project"]["optional-dependencies"]["dev"]
    return next(str(line) for line in stated if _name(line) == name)


def version(project: Path) -> str:
    """The version of the project."""
    return str(tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"])


def install(site: Path, *needed: str) -> None:
    """Install what is `needed` into `site`, without what is only there for tests and builds."""
    _install(site, *needed)
    prune(site, ("*",), DROPPED)
    _strip(site)


def install_project(project: Path, site: Path) -> None:
    """Build the wheel of `project` and install it, alone, into `site`."""
    with tempfile.TemporaryDirectory() as folder:
        _pip("wheel", "--no-deps", "--wheel-dir", folder, str(project))
        (wheel,) = Path(folder).glob("*.whl")
        _install(site, "--no-deps", str(wheel))
    prune(site, ("*",), DROPPED)


def _install(site: Path, *what: str) -> None:
    tags = [f"--platform={tag}_{platform.machine()}" for tag in PLATFORMS]
    target = ["--target", str(site), "--python-version", PYTHON_VERSION, "--implementation", "cp", *tags]
    _pip("install", "--no-compile", "--only-binary=:all:", *target, *what)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SwellError(f"`{' '.join(command)}` failed:\n{done.stderr.strip()}")


def _strip(site: Path) -> None:
    """Drop symbols that nothing links to, most of the size of some extension modules."""
    if shutil.which("strip") is None:
        raise SwellError("strip is missing: install the Debian package binutils")
    for library in sorted(site.rglob("*.so")):
        # What auditwheel has rewritten does not survive: "ELF load command address/offset not page-aligned".
        if not library.parent.name.endswith(".libs"):
            subprocess.run(["strip", "--strip-unneeded", library], check=True)


def _name(requirement: str) -> str:
    matched = re.match(r"[\w.-]+", requirement)
    assert matched is not None
    return matched[0].lower()
