"""The root file system of the image in three parts, each made into a folder: base, dependencies, project.

`python -m image.rootfs FOLDER` puts all three into one folder; the Containerfile does that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from image import debian, wheels
from swell.runtime.errors import SwellError

PROJECT: Final = Path(__file__).parents[1]
# Where Debian's Python looks for what is not Debian's.
SITE: Final = "usr/local/lib/python3.11/dist-packages"
USER: Final = 65532
ACCOUNTS: Final = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nswell:x:{USER}:{USER}:swell:/:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nswell:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
PROGRAMS: Final = ("activator", "autoscaler", "controller", "activator.queueproxy")
# What runs a program, and what those that have one import from: a pod waits for its queue-proxy.
START: Final = "usr/lib/swell/start.pyc"
BUNDLED: Final = "activator.queueproxy"
# With what it imports only when it runs, as image/bundle.py takes them.
BUNDLED_MODULES: Final = f"{BUNDLED},uvloop"


def make_base(tree: Path) -> None:
    """Python and the libraries that it and the wheels need, from Debian; an account for the programs."""
    with tempfile.TemporaryDirectory() as downloads:
        debian.unpack(tree, Path(downloads))
    (tree / "usr/bin/python3").symlink_to("python3.11")
    for name, text in ACCOUNTS.items():
        (tree / name).write_text(text)
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    compile_python(tree, debian.PYTHON_LIBRARY, base=tree)


def make_dependencies(tree: Path, base: Path) -> None:
    """The wheels that the programs need, compiled by the Python of `base`."""
    make_packages(tree, base, *wheels.requirements(PROJECT))


def make_packages(tree: Path, base: Path, *needed: str) -> None:
    """Wheels, compiled by the Python of `base`."""
    wheels.install(tree / SITE, *needed)
    compile_python(tree, SITE, base=base)


def make_project(tree: Path, base: Path, dependencies: Path) -> None:
    """The project's own wheel, compiled by the Python of `base`, and what runs its programs."""
    wheels.install_project(PROJECT, tree / SITE)
    compile_python(tree, SITE, base=base)
    start = tree / START
    start.parent.mkdir(parents=True)
    shutil.copyfile(PROJECT / "image/start.py", start.with_suffix(".py"))
    compile_python(tree, os.path.dirname(START), "-b", base=base)
    bundle, roots = start.with_name(f"{BUNDLED}.bundle"), (tree, dependencies, base)
    # What tracebacks would say of columns is a tenth of what is read.
    options = ("-X", "no_debug_ranges", "-S", "-P", str(PROJECT / "image/bundle.py"))
    run_python(base, *options, str(bundle), BUNDLED_MODULES, *map(str, roots), site_of=roots)


def make_all(tree: Path) -> None:
    """All three parts in one folder."""
    make_base(tree)
    parts: tuple[Callable[[Path], None], ...] = (
        lambda part: make_dependencies(part, tree),
        lambda part: make_project(part, tree, tree),
    )
    for make in parts:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))
            shutil.copytree(folder, tree, symlinks=True, dirs_exist_ok=True)


def compile_python(tree: Path, below: str, *options: str, base: Path) -> None:
    """Compile what lies `below` in `tree`. Sources are not looked at again, so their times do not matter."""
    options = (*options, "-q", "--invalidation-mode", "unchecked-hash", "-s", str(tree), "-p", "/")
    run_python(base, "-m", "compileall", *options, str(tree / below))


def check(base: Path, *others: Path) -> None:
    """Import each program with nothing but what these parts hold. Raises `SwellError` if something was left out."""
    imports = "; ".join(f"import {program}.__main__" for program in PROGRAMS)
    run_python(base, "-P", "-S", "-c", imports, site_of=(base, *others))


def run_python(base: Path, *arguments: str, site_of: Iterable[Path] = ()) -> None:
    """Run the Python of `base` where it lies, by `base`'s own loader and libraries. Raises `SwellError`.

    `site_of`: the parts whose packages it may import.
    """
    command = [*debian.loader(base), str(base / "usr/bin/python3.11"), "-s", *arguments]
    # A fixed hash seed: the order of sets goes into bytecode.
    environ = {
        "PYTHONHOME": str(base / "usr"),
        "PYTHONPATH": os.pathsep.join(str(part / SITE) for part in site_of),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise SwellError(f"the image's Python failed: {' '.join(arguments)}\n{done.stdout}{done.stderr}".strip())


def main() -> int:
    """Make the whole root file system in an empty folder."""
    parser = argparse.ArgumentParser(prog="python -m image.rootfs", description=__doc__)
    parser.add_argument("folder", type=Path, help="made if it is not there; must be empty")
    tree: Path = parser.parse_args().folder.resolve()
    try:
        tree.mkdir(parents=True, exist_ok=True)
        if any(tree.iterdir()):
            raise SwellError(f"{tree} is not empty: name a new folder")
        make_all(tree)
        check(tree)
    except SwellError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
