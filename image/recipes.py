"""What each image is made of: its layers, how it starts, and what decides whether a cached layer is still right."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Final

from image import cache, debian, rootfs, wheels
from image.archive import Image, Layer, digest_of
from swell.runtime.errors import SwellError

PROJECT: Final = rootfs.PROJECT
# What the wheel is built of, as pyproject.toml says, and what makes layers.
WHEEL_SOURCES: Final = tuple(
    PROJECT / name
    for name in (
        "LICENSE",
        "README.md",
        "activator",
        "autoscaler",
        "controller",
        "manifests",
        "pyproject.toml",
        "samples",
        "swell",
    )
)
MAKERS: Final = tuple(
    PROJECT / "image" / name for name in ("archive.py", "cache.py", "debian.py", "rootfs.py", "wheels.py")
)
STARTERS: Final = (PROJECT / "image/bundle.py", PROJECT / "image/start.py")
GO_HELLO: Final = PROJECT / "tests/kubernetes/go-hello"
USER: Final = f"{rootfs.USER}:{rootfs.USER}"
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
# The first process of a container does not get signals that it has not asked for: a SIGTERM that came before Python
# had, from a pod that goes while it starts, would be lost, and the pod stay for all of its grace.
# Python goes without `site`, 2 ms of each cold start; PYTHONPATH names what that would find.
PYTHON: Final = ("/usr/bin/tini-static", "--", "/usr/bin/python3", "-S", "-P")
ENVIRONMENT: Final = {
    "PATH": "/usr/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": f"/{rootfs.SITE}",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    # Decisions are small vectors: BLAS would only keep threads and buffers.
    "OPENBLAS_NUM_THREADS": "1",
}
PROGRAM: Final = (*PYTHON, f"/{rootfs.START}")


def labels() -> dict[str, str]:
    """What registries show of the image."""
    return {
        "org.opencontainers.image.title": "swell",
        "org.opencontainers.image.description": "A serverless platform for Kubernetes: all programs",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": wheels.version(PROJECT),
    }


class Recipes:
    """Makes images, each layer once."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Recipes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def swell(self) -> Image:
        """All programs: the arguments of a container name one. The Containerfile says the same."""
        layers = (self.base, self.dependencies, self.project)
        return _image("swell", layers, PROGRAM, ENVIRONMENT, labels())

    def e2e_app(self) -> Image:
        """The apps of the end-to-end tests, with the aiohttp of the programs, and grpcio."""
        apps = _file_layer("e2e-app", "app", PROJECT / "tests/e2e/app.py", PROJECT / "tests/e2e/grpc_app.py")
        layers = (self.base, self.dependencies, self.grpc, apps)
        return _image("e2e-app", layers, (*PYTHON, "/app/app.py"), ENVIRONMENT)

    def hello(self) -> Image:
        """The sample."""
        app = _file_layer("hello", "app", PROJECT / "samples/hello/app.py")
        return _image("hello", (self.base, app), (*PYTHON, "/app/app.py"), ENVIRONMENT)

    def go_hello(self) -> Image:
        """An app that starts in a millisecond: what is measured with it is not the app."""
        sources = digest_of(_contents([GO_HELLO]))
        program = cache.layer("go-hello", sources, lambda tree: _build_go(tree / "go-hello"))
        return _image("go-hello", (program,), ("/go-hello",), {})

    @cached_property
    def base(self) -> Layer:
        """Python, from Debian."""
        key = digest_of([repr(debian.candidates()).encode(), *_contents(MAKERS)])
        return cache.layer("base", key, rootfs.make_base)

    @cached_property
    def dependencies(self) -> Layer:
        """The wheels that the programs need: the newest when they were last installed for these requirements."""
        needed = map(str.encode, wheels.requirements(PROJECT))
        key = digest_of([self.base.digest.encode(), *needed, *_contents(MAKERS)])
        return cache.layer("dependencies", key, lambda tree: rootfs.make_dependencies(tree, self._base_tree))

    @cached_property
    def grpc(self) -> Layer:
        """grpcio, which only an app of the tests needs."""
        needed = wheels.test_requirement(PROJECT, "grpcio")
        key = digest_of([self.base.digest.encode(), needed.encode(), *_contents(MAKERS)])
        return cache.layer("grpcio", key, lambda tree: rootfs.make_packages(tree, self._base_tree, needed))

    @cached_property
    def project(self) -> Layer:
        """The project's wheel, and what runs its programs."""
        parts = (self.base.digest.encode(), self.dependencies.digest.encode())
        key = digest_of([*parts, *_contents((*WHEEL_SOURCES, *MAKERS, *STARTERS))])
        return cache.layer("project", key, self._make_project)

    @cached_property
    def _base_tree(self) -> Path:
        return self._stack.enter_context(cache.unpacked(self.base))

    def _make_project(self, tree: Path) -> None:
        with cache.unpacked(self.dependencies) as dependencies:
            rootfs.make_project(tree, self._base_tree, dependencies)
            rootfs.check(self._base_tree, dependencies, tree)


def _image(
    name: str,
    layers: tuple[Layer, ...],
    entrypoint: tuple[str, ...],
    environment: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
) -> Image:
    architecture = ARCHITECTURES[platform.machine()]
    return Image(f"dev.local/{name}:1", architecture, layers, entrypoint, USER, environment, labels or {})


def _contents(roots: Iterable[Path]) -> Iterator[bytes]:
    """Path and content of each file below `roots`, in order, without what running or testing leaves behind."""
    for root in roots:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(PROJECT).as_posix().encode()
                yield path.read_bytes()


def _file_layer(name: str, folder: str, *sources: Path) -> Layer:
    def make(tree: Path) -> None:
        (tree / folder).mkdir(parents=True)
        for source in sources:
            shutil.copyfile(source, tree / folder / source.name)

    return cache.layer(name, digest_of([folder.encode(), *_contents(sources)]), make)


def _build_go(program: Path) -> None:
    if shutil.which("go") is None:
        raise SwellError(
            "go-hello needs Go 1.21 or newer, which is not there: install it, or name other images by --only"
        )
    command = ["go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", str(program), "."]
    done = subprocess.run(command, cwd=GO_HELLO, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True)
    if done.returncode:
        raise SwellError(f"`{' '.join(command)}` failed:\n{done.stderr.strip()}")


IMAGES: Final[Mapping[str, Callable[[Recipes], Image]]] = {
    "swell": Recipes.swell,
    "e2e-app": Recipes.e2e_app,
    "hello": Recipes.hello,
    "go-hello": Recipes.go_hello,
}
