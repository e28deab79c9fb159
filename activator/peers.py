"""Our place among the activators that share the pods of a revision (spec dataplane 2.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from activator.pods import is_leaving, is_ready


def place(pods: Iterable[Mapping[str, Any]], own_name: str) -> tuple[int, int] | None:
    """(index, count) of the pod `own_name` among the ready activator pods, in the order of their IPs.

    None when it is not among them: an update without ourselves says nothing about our place.
    """
    peers = sorted(
        (str((pod.get("status") or {}).get("podIP") or ""), str(pod["metadata"]["name"]))
        for pod in pods
        if is_ready(pod) and not is_leaving(pod)
    )
    names = [name for _, name in peers]
    return (names.index(own_name), len(names)) if own_name in names else None
