"""What the API asks of whoever keeps the logs of pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from swell.api.meta import Obj


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which part of a container's log; the defaults give all of what the running container wrote so far.

    `follow`: stay until the container ends. `previous`: of the instance before the last restart.
    `tail_lines`: only the last lines, before anything that follows. `since_s`: only what was written at or after
    that unix time. `timestamps`: each line starts with an RFC 3339 time and a blank.
    """

    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    since_s: float | None = None
    timestamps: bool = False


class PodLogs(Protocol):
    """Logs by pod and container. `container` is one of the pod's, init containers included."""

    def read(self, pod: Obj, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Pieces of the log, whole lines or not, as they come.

        Raises a `KubeError` before the first piece when there is no log: 400 BadRequest while the container has not
        started (`container "x" in pod "y" is waiting to start: ContainerCreating`) or has no previous instance.
        Closing the iterator ends a follow.
        """
        ...
