"""Which cluster a command talks to, and a client for it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from swell.kube.rest import RestClient
from swell.local import cluster
from swell.runtime.errors import SwellError


class NoCluster(SwellError):
    """There is nothing to talk to."""


def find_kubeconfig(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """The kubeconfig to use: the option, $KUBECONFIG, the cluster of `swell up` if it runs, ~/.kube/config.

    Of several paths in $KUBECONFIG the first that exists; they are not merged. Raises `NoCluster`.
    """
    named = [explicit] if explicit else [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if named:
        found = next((Path(path) for path in named if Path(path).exists()), None)
        if found is None:
            raise NoCluster(f"the kubeconfig {', '.join(named)} does not exist")
        return found
    state = cluster.default_state(environ)
    if cluster.is_running(state):
        return cluster.load(state).kubeconfig
    default = Path(environ.get("HOME", "/"), ".kube", "config")
    if default.exists():
        return default
    raise NoCluster("no cluster to talk to: start one with `swell up`, or set KUBECONFIG")


@asynccontextmanager
async def connect(explicit: str | None) -> AsyncIterator[RestClient]:
    """A client for the chosen cluster, closed at the end."""
    client = await RestClient.from_kubeconfig(str(find_kubeconfig(explicit, os.environ)))
    try:
        yield client
    finally:
        await client.close()
