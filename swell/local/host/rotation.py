"""Keeps log files small while they are written to. The writer appends, and need not know."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Final

OLDER_MODE: Final = 0o600
LOG_BYTES_MAX: Final = 10 * 1024 * 1024
"""A log holds at most about twice this: the file and the older part beside it."""


def older(path: str) -> str:
    """Where what was cut off the front of a log lies."""
    return f"{path}.old"


def rotate(path: str, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Move the content of a log that has grown too large aside, replacing what was there; True if it did.

    Lines written between the copy and the cut are lost: the price of writers that keep their file open. So is all of
    it where there is no room for a copy: the disk must not stay full.
    """
    try:
        if os.stat(path).st_size <= bytes_max:
            return False
        _copy(path, older(path))
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def _copy(path: str, target: str) -> None:
    """Replace `target`; a copy that is not whole is removed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    try:
        with open(path, "rb") as source, open(target, "xb", opener=_private) as copy:
            shutil.copyfileobj(source, copy)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, OLDER_MODE)
