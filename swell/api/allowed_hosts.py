"""Which hosts the URLs of metrics may name: the operator's list (docs/metrics.md). Pure.

URLs are read by one strict pattern, so that nobody after this can find another host in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

PORT_MAX: Final = 65535
URL_CHARACTERS_MAX: Final = 2048
ENTRY: Final = "a host, host:port or *.suffix"
URL: Final = "http://HOST[:PORT][/PATH] or https://..., without user and fragment"

_NAME: Final = r"[a-z0-9_](?:[-a-z0-9_.]*[a-z0-9_])?"
_HOST: Final = rf"{_NAME}|\[[0-9a-f:.]+\]"
_URL = re.compile(
    rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?(/[\w\-.~!$&'()*+,;=:@/%]*)?(\?[\w\-.~!$&'()*+,;=:@/?%]*)?", re.A | re.I
)
_ENTRY = re.compile(rf"(\*\.)?({_HOST})(?::([0-9]{{1,5}}))?", re.A | re.I)


class Endpoint(NamedTuple):
    """Where a URL leads. `query` is what follows its path, with the question mark; "" for nothing."""

    host: str
    port: int
    query: str


def endpoint_of(url: str) -> Endpoint | None:
    """None if this is no URL that a metric may have."""
    found = _URL.fullmatch(url) if len(url) <= URL_CHARACTERS_MAX else None
    if found is None:
        return None
    scheme, host, port, _, query = found.groups()
    number = int(port) if port else (443 if scheme.lower() == "https" else 80)
    return Endpoint(host.lower(), number, query or "") if 1 <= number <= PORT_MAX else None


def read_hosts(text: str) -> tuple[str, ...]:
    """The entries of a list with commas or spaces between. Raises ValueError for one that is none."""
    entries = tuple(entry.lower() for entry in re.split(r"[\s,]+", text) if entry)
    for entry in entries:
        found = _ENTRY.fullmatch(entry)
        if found is None or (found[1] and found[2].startswith("[")) or not 1 <= int(found[3] or 1) <= PORT_MAX:
            raise ValueError(f'"{entry}" is not {ENTRY}')
    return entries


def is_allowed(endpoint: Endpoint, entries: Iterable[str]) -> bool:
    """Whether an entry names the host, and the port if it names one; `*.a.b` is every host below `a.b`."""
    return any(_matches(endpoint, entry) for entry in entries)


def _matches(endpoint: Endpoint, entry: str) -> bool:
    found = _ENTRY.fullmatch(entry)
    assert found is not None, f"{entry} was not read by read_hosts"
    below, name, port = found.groups()
    if port and int(port) != endpoint.port:
        return False
    return endpoint.host.endswith(f".{name}") if below else endpoint.host == name
