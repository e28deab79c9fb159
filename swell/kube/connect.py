"""Where a cluster is and how to log in to it: service account or kubeconfig -> an `Access`.

A pod's own service account needs nothing but three files. Kubeconfigs are read by kubernetes_asyncio, which knows
all that may stand in one; it is imported when first needed: it costs half a second and tens of MiB.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from swell.runtime.clock import Clock
from swell.runtime.errors import SwellError

READ_BUFFER_BYTES: Final = 2**20
CONNECTIONS_MAX: Final = 100
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The kubelet renews the token's file long before the token ends.
TOKEN_S: Final = 60.0


class NoAccess(SwellError):
    """The cluster's address or credentials cannot be read."""


@dataclass(frozen=True, slots=True)
class Access:
    """A cluster that can be asked. `host` is a URL; `headers()` says who asks; `options` go with each request."""

    host: str
    session: aiohttp.ClientSession
    headers: Callable[[], Awaitable[Mapping[str, str]]]
    options: Mapping[str, Any] = field(default_factory=dict)


async def in_cluster(clock: Clock, environ: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT) -> Access:
    """The cluster that this pod runs in, by its service account. Raises `NoAccess`."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise NoAccess("this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set): give a kubeconfig instead")
    token = _Token(folder / "token", clock)
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        await token.headers()
    except OSError as exc:  # ssl.SSLError is one too
        raise NoAccess(f"the service account of this pod cannot be used: {folder}: {exc}") from exc
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=_as_kubectl(context))
    return Access(url, _session(connector, url), token.headers)


async def from_kubeconfig(path: str) -> Access:
    """The cluster of the current context in the kubeconfig `path`. Raises `NoAccess`."""
    try:
        import yaml
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.client.rest import RESTClientObject
        from kubernetes_asyncio.config import ConfigException, load_kube_config
    except ImportError as exc:  # our image for clusters does without
        raise NoAccess(f"kubeconfigs cannot be read here ({exc}): install the package swell") from exc

    _require_file(path)
    configuration = Configuration()
    configuration.disable_strict_ssl_verification = True
    try:
        loader = await load_kube_config(path, client_configuration=configuration, persist_config=False)
        client = RESTClientObject(configuration)
    except (ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, AssertionError) as exc:
        raise NoAccess(f"the kubeconfig {path} cannot be used: {exc or type(exc).__name__}") from exc
    if hasattr(loader, "exec_plugin_expiry"):
        configuration.refresh_api_key_hook = _renewing(loader)

    async def headers() -> Mapping[str, str]:
        bearer = (await configuration.auth_settings()).get("BearerToken")
        return {bearer["key"]: bearer["value"]} if bearer else {}

    connector, host = client.pool_manager.connector, str(configuration.host)
    client.pool_manager.detach()
    told = {"proxy": client.proxy, "proxy_headers": client.proxy_headers, "server_hostname": client.server_hostname}
    options = {key: value for key, value in told.items() if value}
    return Access(host, _session(connector, host), headers, options)


class _Token:
    """A token in a file that is written anew from time to time."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._until_s = 0.0
        self._headers: Mapping[str, str] = {}

    async def headers(self) -> Mapping[str, str]:
        """Raises `OSError` if there never was a token; one that was read serves until the next can be."""
        now_s = self._clock.now()
        if not self._headers or now_s >= self._until_s:
            try:
                self._headers = {"Authorization": f"Bearer {self._path.read_text().strip()}"}
            except OSError:
                if not self._headers:
                    raise
            self._until_s = now_s + TOKEN_S
        return self._headers


def _as_kubectl(context: ssl.SSLContext) -> ssl.SSLContext:
    """Python 3.13 refuses certificates that clusters have and that kubectl takes (no authority key identifier)."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _session(connector: aiohttp.BaseConnector | None, host: str) -> aiohttp.ClientSession:
    """A proxy of the environment cannot reach this machine's loopback; kubectl does not ask one either."""
    return aiohttp.ClientSession(connector=connector, trust_env=not is_loopback(host), read_bufsize=READ_BUFFER_BYTES)


def _require_file(path: str) -> None:
    if not os.path.exists(path):
        raise NoAccess(f"the kubeconfig {path} does not exist")


def _renewing(loader: Any) -> Any:
    """A hook that runs the kubeconfig's credential plugin again when its token is about to expire."""

    async def renew(configuration: Any) -> None:
        await loader.load_from_exec_plugin()
        configuration.api_key["BearerToken"] = loader.token

    return renew


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine itself."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
