"""Parts of files that others write to and cut: from an offset on, and the last lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

CHUNK_BYTES: Final = 64 * 1024
LINE_BYTES_MAX: Final = 1024 * 1024
"""A line that is longer comes in pieces."""


def read_from(path: Path, start: int) -> Iterator[bytes]:
    """Pieces from `start` to the end that the file has now, each of whole lines where it can be."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        rest = b""
        while chunk := file.read(CHUNK_BYTES):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                yield whole + newline
            if len(rest) > LINE_BYTES_MAX:
                yield rest
                rest = b""
        if rest:
            yield rest


def last_lines_start(path: Path, count: int) -> int:
    """Where the last `count` lines of the file begin; 0 if it has no more than that."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        end = file.seek(0, 2)
        if count <= 0:
            return end
        position = end
        # The newline that ends the last line starts no other.
        wanted = count + 1 if _ends_with_newline(file, end) else count
        while position > 0:
            begin = max(0, position - CHUNK_BYTES)
            file.seek(begin)
            block = file.read(position - begin)
            found = block.count(b"\n")
            if found >= wanted:
                return begin + _nth_newline_from_end(block, wanted) + 1
            wanted -= found
            position = begin
    return 0


def _ends_with_newline(file: BinaryIO, end: int) -> bool:
    if end == 0:
        return False
    file.seek(end - 1)
    return file.read(1) == b"\n"


def _nth_newline_from_end(block: bytes, number: int) -> int:
    at = len(block)
    for _ in range(number):
        at = block.rindex(b"\n", 0, at)
    return at
