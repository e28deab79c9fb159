"""Which pods of a revision belong to which activator, when several share it (spec dataplane 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def assigned(pods: Sequence[T], index: int, count: int) -> list[T]:
    """The part of the sorted `pods` that activator `index` of `count` may send to.

    Only for revisions with a container concurrency: their slots must not be given out twice. With fewer
    pods than activators one pod is shared by several, and its queue-proxy queues what is too much. An
    activator that does not know its place (`index` -1) takes them all.
    """
    if index < 0 or count <= 1 or len(pods) <= 1:
        return list(pods)
    if count > len(pods):
        return [pods[index % len(pods)]]
    size, rest = divmod(len(pods), count)
    mine = list(pods[index * size : (index + 1) * size])
    if index < rest:
        mine.append(pods[len(pods) - rest + index])
    return mine
