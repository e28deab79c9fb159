"""Which texts name an image, by the rules that Docker clients use for names that people type."""

from __future__ import annotations

import re

_TAG = re.compile(r"[A-Za-z0-9_.-]{1,127}")
_REPOSITORY = re.compile(r"[a-z0-9_./-]{2,255}")
_REGISTRY = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(:\d*)?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_image_reference(text: str) -> bool:
    """Whether this is `[registry/]repository[:tag][@sha256:...]`.

    The registry is what stands before the first slash, if it has a dot or a colon.
    """
    if _is_tagged(text):
        return True
    name, at, digest = text.partition("@")
    return bool(at) and _DIGEST.fullmatch(digest) is not None and (_is_tagged(name) or _is_repository(name))


def _is_tagged(text: str) -> bool:
    name, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        # That colon, if any, belongs to the port of a registry.
        return _is_repository(text)
    return _TAG.fullmatch(tag) is not None and _is_repository(name)


def _is_repository(text: str) -> bool:
    head, slash, rest = text.partition("/")
    if slash and ("." in head or ":" in head):
        return _REGISTRY.fullmatch(head) is not None and _REPOSITORY.fullmatch(rest) is not None
    return _REPOSITORY.fullmatch(text) is not None
