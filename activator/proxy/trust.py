"""Whose word about a caller counts. Knows ranges of addresses and names of headers; asked once a connection."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, TypeAlias

from activator.proxy.headers import NO_NAMES

Network: TypeAlias = IPv4Network | IPv6Network

# What proxies tell one another about the caller (spec dataplane 1.5, RFC 7239).
CLAIMS: Final = frozenset(
    (
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
    )
)


@dataclass(frozen=True, slots=True)
class Trust:
    """`networks` are those of the proxies in front of us: what others claim is dropped.

    `announced`: connections from there may begin with a PROXY header, which names the caller.
    """

    networks: tuple[Network, ...]
    announced: bool = False

    def dropped(self, ip: str) -> frozenset[bytes]:
        """The headers that are not passed on from a caller at `ip`, in lower case."""
        return NO_NAMES if self.covers(ip) else CLAIMS

    def may_announce(self, ip: str) -> bool:
        return self.announced and self.covers(ip)

    def covers(self, ip: str) -> bool:
        """Whether `ip` is in one of the ranges. What is no IP address, such as the "" of a closed socket, is not."""
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in self.networks)
