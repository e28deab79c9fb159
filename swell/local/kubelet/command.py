"""From a container and its image to what the host is asked to run. Pure."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swell.api.meta import Obj
from swell.local.images import COMPOUND, SHELL, Image, ImageError
from swell.local.kubelet.environment import (
    INHERITED,
    ConfigError,
    Sources,
    declared,
    expand,
    with_real_ports,
)
from swell.local.kubelet.podspec import UNSUPPORTED, PodFacts, is_queue_proxy, port_variable


@dataclass(frozen=True, slots=True)
class Command:
    """What to run; an empty `argv` means the queue-proxy, forked from the host."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str

    @property
    def compound(self) -> bool:
        """Whether a shell stays in front of the app, so that signals must go to both."""
        return self.argv[:2] == (SHELL, "-c") and self.argv[2].startswith(COMPOUND)


def command_of(
    container: Mapping[str, Any],
    pod: Obj,
    facts: PodFacts,
    sources: Sources,
    image: Image | None,
    inherited: Mapping[str, str],
) -> Command:
    """`image` is None for the queue-proxy. Raises `ConfigError` and `ImageError`.

    As with container images, `command` replaces the image's own command line; `args` alone are added to it.
    """
    require_supported(container)
    env = with_real_ports(declared(container, pod, facts, sources), facts.ports, port_variable(container, pod["spec"]))
    if is_queue_proxy(container) or image is None:
        return Command((), {**inherited, **env}, "/")
    command = [expand(word, env) for word in container.get("command") or ()]
    args = [expand(word, env) for word in container.get("args") or ()]
    argv = command + args if command else _with_args(image.argv(), args)
    cwd = os.path.join(image.folder, container.get("workingDir") or "")
    if not os.path.isdir(cwd):
        raise ImageError(f"image {image.name!r}: there is no folder {cwd} to run in")
    return Command(tuple(argv), {**inherited, "HOSTNAME": facts.name, **env}, cwd)


def inherited_from(environ: Mapping[str, str]) -> dict[str, str]:
    """What every process gets from the environment `environ` of the cluster."""
    found = {name: environ[name] for name in INHERITED if name in environ}
    # Last: where the system has no `python3`, the interpreter that runs Swell is one.
    found["PATH"] = os.pathsep.join((environ.get("PATH", os.defpath), os.path.dirname(sys.executable)))
    return found


def require_supported(container: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for what would silently be left out."""
    for field, why in UNSUPPORTED.items():
        if container.get(field):
            raise ConfigError(f"container {container['name']!r}: {field} are not supported: {why}")
    if (container.get("lifecycle") or {}).get("postStart"):
        raise ConfigError(f"container {container['name']!r}: lifecycle.postStart is not supported")


def _with_args(argv: list[str], args: list[str]) -> list[str]:
    if not args or argv[:2] != [SHELL, "-c"]:
        return argv + args
    return [*argv[:2], f'{argv[2]} "$@"', "sh", *args]
