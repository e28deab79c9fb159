"""Names of objects: which are legal, and how a child's name follows from its parent's."""

from __future__ import annotations

import hashlib
import re
from typing import Final

LABEL_CHARACTERS_MAX: Final = 63
SUBDOMAIN_CHARACTERS_MAX: Final = 253

_HASH_CHARACTERS: Final = 32
_HEAD_CHARACTERS: Final = LABEL_CHARACTERS_MAX - _HASH_CHARACTERS

_DNS1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS1123_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS1123_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

# Wire-visible: Kubernetes clients and the reference's tests look for these words.
_DNS1035_REASON: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_DNS1123_LABEL_REASON: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_DNS1123_SUBDOMAIN_REASON: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def child_name(parent: str, suffix: str) -> str:
    """The name of a child: `parent + suffix`, shortened by a hash where that exceeds 63 characters.

    Equal inputs give equal names in the reference, so its objects are found again (spec api 6.1).
    """
    if len(parent) + len(suffix) <= LABEL_CHARACTERS_MAX:
        return parent + suffix
    if len(suffix) < _HEAD_CHARACTERS:
        return parent[: _HEAD_CHARACTERS - len(suffix)] + _md5(parent) + suffix
    # The hash fills the name exactly, unless the parent is short: then the suffix's start follows it.
    name = (parent[:_HEAD_CHARACTERS] + _md5(parent + suffix) + suffix)[:LABEL_CHARACTERS_MAX]
    return re.sub(r"[^a-zA-Z0-9]+$", "", name)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def dns1035_faults(name: str) -> list[str]:
    """Why `name` is no DNS-1035 label, in Kubernetes' words; empty if it is one."""
    return _faults(name, _DNS1035, LABEL_CHARACTERS_MAX, _DNS1035_REASON)


def dns1035_prefix_faults(prefix: str) -> list[str]:
    """As `dns1035_faults`, for a `generateName`: it may end with a dash."""
    return dns1035_faults(prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix)


def dns1123_label_faults(name: str) -> list[str]:
    """Why `name` is no DNS-1123 label; empty if it is one."""
    faults = _faults(name, _DNS1123_LABEL, LABEL_CHARACTERS_MAX, _DNS1123_LABEL_REASON)
    if _DNS1123_LABEL_REASON in faults and _DNS1123_SUBDOMAIN.fullmatch(name):
        faults[-1] = "must not contain dots"
    return faults


def dns1123_subdomain_faults(name: str) -> list[str]:
    """Why `name` is no DNS-1123 subdomain; empty if it is one."""
    return _faults(name, _DNS1123_SUBDOMAIN, SUBDOMAIN_CHARACTERS_MAX, _DNS1123_SUBDOMAIN_REASON)


def is_dns1035(name: str) -> bool:
    """Whether `name` is a DNS-1035 label: the rule for the names of Serving objects."""
    return not dns1035_faults(name)


def is_dns1123_label(name: str) -> bool:
    """Whether `name` is a DNS-1123 label: the rule for namespaces and volumes."""
    return not dns1123_label_faults(name)


def is_dns1123_subdomain(name: str) -> bool:
    """Whether `name` is a DNS-1123 subdomain: the rule for most built-in objects."""
    return not dns1123_subdomain_faults(name)


def _faults(name: str, pattern: re.Pattern[str], characters_max: int, reason: str) -> list[str]:
    faults = []
    if len(name) > characters_max:
        faults.append(f"must be no more than {characters_max} characters")
    if not pattern.fullmatch(name):
        faults.append(reason)
    return faults
