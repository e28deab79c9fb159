"""A queue-proxy's word to the activators that its pod can serve: the JSON body of POST /announce."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from swell.wire.errors import WireError

if TYPE_CHECKING:
    from typing import Any

PATH = "/announce"
PROTOCOLS = ("http1", "h2c")

_TEXTS = ("namespace", "revision", "pod", "uid", "address", "protocol")


class Announcement:
    """One pod that passed its readiness probe. `address` is `ip:port` of its queue-proxy."""

    __slots__ = ("address", "namespace", "pod", "protocol", "revision", "uid")

    def __init__(
        self, namespace: str, revision: str, pod: str, uid: str, address: str, protocol: str = "http1"
    ) -> None:
        self.namespace = namespace
        self.revision = revision
        self.pod = pod
        self.uid = uid
        self.address = address
        self.protocol = protocol

    @property
    def host_port(self) -> tuple[str, int]:
        """The address to connect to; the brackets of an IPv6 address are gone."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Announcement) and all(getattr(self, name) == getattr(other, name) for name in _TEXTS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Announcement({self.namespace}/{self.revision} {self.pod} at {self.address})"


def encode(announcement: Announcement) -> bytes:
    """The body to send."""
    return json.dumps({name: getattr(announcement, name) for name in _TEXTS}, separators=(",", ":")).encode()


def decode(body: bytes) -> Announcement:
    """Read a body. Raises `WireError` naming the field that is missing or wrong."""
    try:
        found = json.loads(body)
    except ValueError as exc:
        raise WireError(f"announcement is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise WireError("announcement is not a JSON object")
    texts = {name: _text(found, name) for name in _TEXTS}
    if texts["protocol"] not in PROTOCOLS:
        raise WireError(f"announcement: protocol is {texts['protocol']!r}, allowed: {', '.join(PROTOCOLS)}")
    _check_address(texts["address"])
    return Announcement(**texts)


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name, PROTOCOLS[0] if name == "protocol" else None)
    if not isinstance(value, str) or not value:
        raise WireError(f"announcement: {name} is {value!r}, allowed: a non-empty string")
    return value


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise WireError(f"announcement: address is {address!r}, allowed: ip:port")
