"""Where a cluster is and how to log in to it: kubeconfig or service account -> a ready transport.

With `transport` the only modules that touch kubernetes_asyncio, which is imported when first needed: it costs
half a second and tens of MiB.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from swell.runtime.errors import SwellError

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

READ_BUFFER_BYTES = 2**20


class NoAccess(SwellError):
    """The cluster's address or credentials cannot be read."""


async def in_cluster() -> ApiClient:
    """The cluster that this pod runs in, by its service account. Raises `NoAccess`."""
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import ConfigException, load_incluster_config

    configuration = Configuration()
    load: Callable[..., None] = load_incluster_config
    try:
        load(client_configuration=configuration)
    except (ConfigException, OSError) as exc:
        raise NoAccess(f"this is no pod with a service account ({exc}): give a kubeconfig instead") from exc
    return _client(configuration)


async def from_kubeconfig(path: str) -> ApiClient:
    """The cluster of the current context in the kubeconfig `path`. Raises `NoAccess`."""
    import yaml
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import ConfigException, load_kube_config

    _require_file(path)
    configuration = Configuration()
    try:
        loader = await load_kube_config(path, client_configuration=configuration, persist_config=False)
        client = _client(configuration)
    except (ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, AssertionError) as exc:
        raise NoAccess(f"the kubeconfig {path} cannot be used: {exc or type(exc).__name__}") from exc
    if hasattr(loader, "exec_plugin_expiry"):
        configuration.refresh_api_key_hook = _renewing(loader)
    return client


def _require_file(path: str) -> None:
    if not os.path.exists(path):
        raise NoAccess(f"the kubeconfig {path} does not exist")


def _renewing(loader: Any) -> Any:
    """A hook that runs the kubeconfig's credential plugin again when its token is about to expire."""

    async def renew(configuration: Any) -> None:
        await loader.load_from_exec_plugin()
        configuration.api_key["BearerToken"] = loader.token

    return renew


def _client(configuration: Any) -> ApiClient:
    from kubernetes_asyncio.client import ApiClient

    client = ApiClient(configuration)
    if is_loopback(configuration.host):
        _without_proxies(client)
    return client


def _without_proxies(client: ApiClient) -> None:
    """A proxy of the environment cannot reach this machine's loopback; kubectl does not ask one either."""
    import aiohttp

    session = client.rest_client.pool_manager
    client.rest_client.pool_manager = aiohttp.ClientSession(
        connector=session.connector, trust_env=False, read_bufsize=READ_BUFFER_BYTES
    )
    session.detach()


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine itself."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
