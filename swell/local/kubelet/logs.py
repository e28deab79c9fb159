"""What containers wrote: a file per instance, and how the API reads them.

Knows files and when they grew. Lines carry no time of their own, since apps write to their file themselves: times
are known to within `SAMPLE_S`, from watching the files grow.
"""

from __future__ import annotations

import bisect
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from swell.api.meta import Obj, rfc3339
from swell.kube.errors import Invalid
from swell.local.apiserver.podlogs import LogOptions
from swell.local.host.rotation import older
from swell.local.kubelet.tails import last_lines_start, read_from
from swell.runtime.clock import Cancellable, Clock

SAMPLE_S: Final = 5.0
FOLLOW_S: Final = 0.2
SAMPLES_MAX: Final = 512
MESSAGE_BYTES_MAX: Final = 2048
MESSAGE_LINES_MAX: Final = 80
# With the namespace (63), the uid (36) and two more, a folder's name stays below 255 bytes.
POD_NAME_CHARACTERS_MAX: Final = 150
_FILE: Final = re.compile(r"(?P<container>[a-z0-9-]+)\.(?P<instance>\d+)\.log")


@dataclass(slots=True)
class _Growth:
    """How large a file was when: two sorted columns."""

    times_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def note(self, now_s: float, size: int) -> None:
        if self.sizes and size < self.sizes[-1]:
            self.times_s.clear()
            self.sizes.clear()
        if not self.sizes or size > self.sizes[-1]:
            self.times_s.append(now_s)
            self.sizes.append(size)
        if len(self.sizes) > SAMPLES_MAX:
            del self.times_s[1::2], self.sizes[1::2]

    def written_s(self, offset: int, now_s: float) -> float:
        """When the byte at `offset` was there for the first time."""
        index = bisect.bisect_right(self.sizes, offset)
        return self.times_s[index] if index < len(self.times_s) else now_s

    def start_of(self, since_s: float, size: int) -> int:
        """The first byte that may have been written at `since_s` or later."""
        index = bisect.bisect_left(self.times_s, since_s)
        if index == 0:
            return 0
        return min(size, self.sizes[index - 1])


class PodLogs:
    """The logs of this node's pods, in `logs/pods` of the state; implements what the API asks of logs."""

    def __init__(self, state: Path, clock: Clock) -> None:
        self._folder = state / "logs" / "pods"
        self._clock = clock
        self._open: dict[Path, _Growth] = {}
        self._ended: dict[Path, _Growth] = {}
        self._timer: Cancellable | None = None

    def begin(self, pod: Obj, container: str, instance: int) -> str:
        """The file for a new instance of a container; only the one before it is kept."""
        folder = self._folder_of(pod)
        for number, path in self._instances(folder, container):
            if number < instance - 1:
                self._remove(path)
        path = folder / f"{container}.{instance}.log"
        self.resume(str(path))
        return str(path)

    def resume(self, path: str) -> None:
        """The instance that writes to this file runs."""
        self._open[Path(path)] = _Growth()
        if self._timer is None:
            self._timer = self._clock.call_later(SAMPLE_S, self._sample)

    def end(self, path: str) -> None:
        """The instance that wrote to this file has ended."""
        growth = self._open.pop(Path(path), None)
        if growth is not None:
            growth.note(self._clock.wall(), _size(Path(path)))
            self._ended[Path(path)] = growth

    def last_words(self, path: str) -> str:
        """The end of a log: at most 80 lines and 2048 bytes, as Kubernetes takes them for its message."""
        file = Path(path)
        start = max(last_lines_start(file, MESSAGE_LINES_MAX), _size(file) - MESSAGE_BYTES_MAX)
        return b"".join(read_from(file, start)).decode(errors="replace")

    def remove(self, pod: Obj) -> None:
        """The pod is gone, and its logs go with it."""
        folder = self._folder_of(pod)
        for known in (self._open, self._ended):
            for path in [path for path in known if path.parent == folder]:
                del known[path]
        shutil.rmtree(folder, ignore_errors=True)

    def keep_only(self, pods: list[Obj]) -> None:
        """Remove the logs of all other pods."""
        kept = {self._folder_of(pod) for pod in pods}
        for folder in self._folder.glob("*"):
            if folder not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def read(self, pod: Obj, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Pieces of the log as they come; raises `Invalid` if there is none. See `LogOptions`."""
        path = self._find(pod, container, options)
        old = Path(older(str(path)))
        pieces = self._pieces(path, old, options)
        for piece in pieces:
            yield piece
        position = pieces.position
        while options.follow and path in self._open:
            await self._clock.sleep(FOLLOW_S)
            position = 0 if _size(path) < position else position
            for piece in read_from(path, position):
                position += len(piece)
                yield self._stamped(path, position - len(piece), piece) if options.timestamps else piece

    def _find(self, pod: Obj, container: str, options: LogOptions) -> Path:
        found = list(self._instances(self._folder_of(pod), container))
        name = pod["metadata"]["name"]
        if options.previous:
            if len(found) < 2:
                message = f'previous terminated container "{container}" in pod "{name}" not found'
                raise Invalid(400, "BadRequest", message)
            return found[-2][1]
        if not found:
            reason = _waiting_reason(pod, container)
            message = f'container "{container}" in pod "{name}" is waiting to start: {reason}'
            raise Invalid(400, "BadRequest", message)
        return found[-1][1]

    def _pieces(self, path: Path, old: Path, options: LogOptions) -> _Pieces:
        start, old_start = 0, 0
        if options.tail_lines is not None:
            start = last_lines_start(path, options.tail_lines)
            missing = options.tail_lines - _lines_in(path, start)
            old_start = last_lines_start(old, missing) if start == 0 and missing > 0 else _size(old)
        if options.since_s is not None:
            growth = self._growth(path)
            since = growth.start_of(options.since_s, _size(path))
            start = max(start, since)
            old_start = _size(old) if since > 0 else old_start
        stamp = self._stamped if options.timestamps else None
        return _Pieces([(old, old_start), (path, start)], stamp)

    def _stamped(self, path: Path, position: int, piece: bytes) -> bytes:
        """Each line with its time before it."""
        growth, now_s = self._growth(path), self._clock.wall()
        stamped = bytearray()
        for line in piece.splitlines(keepends=True):
            stamped += f"{rfc3339(growth.written_s(position, now_s))} ".encode() + line
            position += len(line)
        return bytes(stamped)

    def _growth(self, path: Path) -> _Growth:
        return self._open.get(path) or self._ended.get(path) or _Growth()

    def _instances(self, folder: Path, container: str) -> Iterator[tuple[int, Path]]:
        """The kept instances of a container, oldest first."""
        found = []
        for path in folder.glob(f"{container}.*.log"):
            match = _FILE.fullmatch(path.name)
            if match is not None and match["container"] == container:
                found.append((int(match["instance"]), path))
        return iter(sorted(found))

    def _remove(self, path: Path) -> None:
        self._ended.pop(path, None)
        path.unlink(missing_ok=True)
        Path(older(str(path))).unlink(missing_ok=True)

    def _sample(self) -> None:
        for path, growth in self._open.items():
            growth.note(self._clock.wall(), _size(path))
        self._timer = self._clock.call_later(SAMPLE_S, self._sample) if self._open else None

    def _folder_of(self, pod: Obj) -> Path:
        meta = pod["metadata"]
        return self._folder / f"{meta.get('namespace', '')}_{meta['name'][:POD_NAME_CHARACTERS_MAX]}_{meta['uid']}"


class _Pieces:
    """Iterates over parts of files, one after the other; `position` is how far the last one was read."""

    def __init__(self, parts: list[tuple[Path, int]], stamp: Callable[[Path, int, bytes], bytes] | None) -> None:
        self._parts = parts
        self._stamp = stamp
        self.position = parts[-1][1]

    def __iter__(self) -> Iterator[bytes]:
        for path, start in self._parts:
            self.position = start
            for piece in read_from(path, start):
                at = self.position
                self.position += len(piece)
                yield piece if self._stamp is None else self._stamp(path, at, piece)


def _waiting_reason(pod: Obj, container: str) -> str:
    status = pod.get("status") or {}
    for each in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        if each["name"] == container:
            return str(((each.get("state") or {}).get("waiting") or {}).get("reason") or "ContainerCreating")
    return "ContainerCreating"


def _lines_in(path: Path, start: int) -> int:
    return sum(piece.count(b"\n") for piece in read_from(path, start))


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
