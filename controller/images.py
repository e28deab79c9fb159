"""Which image each container of a revision runs (spec api 6.4). Pure.

An image is taken as it is written: by digest, of a registry that only this machine knows (`dev.local`,
`ko.local`, `kind.local`), or a local image of the embedded cluster. Whatever resolves tags to digests in
front of this fills `ContainerStatus.image_digest`; pods run what stands there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from swell.api.serving import ContainerStatus
from swell.api.specs import RevisionSpec

_BY_DIGEST = "@sha256:"


def container_statuses(spec: RevisionSpec) -> tuple[tuple[ContainerStatus, ...], tuple[ContainerStatus, ...]]:
    """The statuses of containers and of init containers; a digest is known only where the image names one."""
    return _statuses(spec.containers), _statuses(spec.pod_spec.get("initContainers") or ())


def image_of(container: Mapping[str, Any], statuses: Iterable[ContainerStatus]) -> str:
    """The image that a container's pods run: the digest that the revision is pinned to, else what is written."""
    name = container.get("name")
    pinned = next((status.image_digest for status in statuses if status.name == name), "")
    return pinned or str(container.get("image") or "")


def _statuses(containers: Iterable[Mapping[str, Any]]) -> tuple[ContainerStatus, ...]:
    return tuple(_status(container) for container in containers)


def _status(container: Mapping[str, Any]) -> ContainerStatus:
    image = str(container.get("image") or "")
    return ContainerStatus(str(container.get("name") or ""), image if _BY_DIGEST in image else "")
