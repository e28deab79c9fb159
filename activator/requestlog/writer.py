"""Lines to a file descriptor: one write for all of one turn of the event loop, and never a wait for who reads them."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import Final

# What may wait for a reader that does not keep up; what comes then is dropped, and counted.
WAITING_BYTES_MAX: Final = 1024 * 1024


class LineWriter:
    """Writes to `fd`, standard output unless said otherwise. `dropped` are the lines that nobody will read.

    A pipe is set to not block; a file never does for long.
    """

    __slots__ = ("_fd", "_gone", "_lines", "_loop", "_scheduled", "_waiting", "dropped")

    def __init__(self, fd: int = 1) -> None:
        self.dropped = 0
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._lines: list[bytes] = []
        self._waiting = b""
        self._scheduled = False
        self._gone = False
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.set_blocking(fd, False)

    def put(self, line: bytes) -> None:
        """Write `line`, which ends with a newline, before the loop turns again."""
        self._lines.append(line)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Write what is there, as far as that is possible at once."""
        self._flush()
        if self._waiting:
            self._loop.remove_writer(self._fd)
            self._waiting = b""

    def _flush(self) -> None:
        self._scheduled = False
        lines, self._lines = self._lines, []
        if self._gone or len(self._waiting) > WAITING_BYTES_MAX:
            self.dropped += len(lines)
        elif self._waiting:
            self._waiting += b"".join(lines)
        else:
            self._waiting = self._write(b"".join(lines))
            if self._waiting:
                self._loop.add_writer(self._fd, self._continue)

    def _continue(self) -> None:
        """There is room again."""
        self._waiting = self._write(self._waiting)
        if not self._waiting:
            self._loop.remove_writer(self._fd)

    def _write(self, data: bytes) -> bytes:
        """What is left of `data`."""
        try:
            return data[os.write(self._fd, data) :]
        except BlockingIOError:
            return data
        except OSError:
            self._gone = True  # the reader has closed its side
            return b""
